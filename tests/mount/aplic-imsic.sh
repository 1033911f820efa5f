#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# APLIC with MSI delivery: the interrupt files of the harts.
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/aplic-lib.sh"

mount_aplic
D=aplic/aplic0

put $D/domaincfg 0x100
put $D/genmsi 7
put $D/signal_msi '0x28000000 8'
eq $D/imsic/0/pending "7
8"
eq $D/imsic/0/eip/0 0x0000000000000180
put $D/imsic/0/eip/0 0
eq $D/imsic/0/pending ""
same "registers of eip" "$(find "$M/$D/imsic/0/eip" -type f | sort)" "$M/$D/imsic/0/eip/0
$M/$D/imsic/0/eip/2
$M/$D/imsic/0/eip/4
$M/$D/imsic/0/eip/6"
put $D/imsic/0/eie/2 0x12345678
eq $D/imsic/0/eie/2 0x0000000012345678
put $D/imsic/0/eie/2 0x3
eq $D/imsic/0/enabled "64
65"
put $D/imsic/0/enabled "65
200"
eq $D/imsic/0/eie/6 0x0000000000000100
cp "$M/$D/imsic/0/enabled" "$T/enabled"
put $D/imsic/0/enabled ""
eq $D/imsic/0/enabled ""
cp "$T/enabled" "$M/$D/imsic/0/enabled" || fail "a list cannot be copied back"
eq $D/imsic/0/enabled "65
200"
refuse EINVAL $D/imsic/0/pending 256
put $D/imsic/0/eie/0 0xffffffffffffffff
eq $D/imsic/0/eie/0 0xfffffffffffffffe
put $D/imsic/1/eidelivery 0xffffffffffffffff
eq $D/imsic/1/eidelivery 0x0000000000000001
put $D/imsic/1/eithreshold 0xffffffffffffffff
eq $D/imsic/1/eithreshold 0x00000000000007ff
refuse ERANGE $D/imsic/1/eithreshold 0x10000000000000000

# A change wakes poll(2).
same "poll of pending" "$("$IO" poll $D/imsic/1/pending pri 5000 sh -c "echo 0x40020 > '$M/$D/genmsi'")" pri
