#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Configuration space of an assigned device: 256 bytes, in which bit 10 of the command is the guest's mask, and
# registers that are written behind the handler's back.
. "$(dirname "$0")/lib.sh"

mount_fs
d=intx/bus0/devices/d0
mkdir "$M/$d" || fail "mkdir"

put $d/line 5
put $d/enabled 1
same "the size of config" "$(stat -c %s "$M/$d/config")" 256
same "the length of config" "$(wc -c <"$M/$d/config")" 256
same "the interrupt pin and line" "$("$IO" pread $d/config 0x3c 2)" 0501
same "a bus master" "$("$IO" pwrite $d/config 4 0600)" ok
eq $d/command 0x0006
put $d/assert 1
same "the handler's mask in config" "$("$IO" pread $d/config 4 4)" 06000800
same "memory space off" "$("$IO" pwrite $d/config 4 04)" ok
eq $d/command 0x0404
eq $d/guest_mask 0
same "the guest's mask in config" "$("$IO" pwrite $d/config 5 04)" ok
eq $d/guest_mask 1
eq $d/guest_level 0
same "command and status" "$("$IO" pread $d/config 4 4)" 04040800
same "the guest's unmask in config" "$("$IO" pwrite $d/config 4 0400)" ok
eq $d/guest_mask 0
eq $d/guest_level 1
same "the read-only identification" "$("$IO" pwrite $d/config 0 00000000)" ok
[ "$("$IO" pread $d/config 0 4)" != 00000000 ] || fail "the identification was written"

# Registers behind the handler's back.
put $d/command 0x0007
eq $d/interrupts 3
eq $d/masked 1
put $d/intx_disable 1
eq $d/command 0x0407
