#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Functions and guests of a GAIT: their fields, and functions that are registered and deregistered.
. "$(dirname "$0")/lib.sh"

mount_fs
g=gait/gait0
vm=$g/guests/vm
f=$g/functions/f

mkdir "$M/$vm" "$M/$f" || fail "mkdir failed"
eq $vm/memory_size 1048576
eq $vm/memory_address 0x0000000100000000
eq $vm/gisa_address 0x01000000
for mask in ipm iam simm nimm; do
    eq $vm/$mask 0x00
    put $vm/$mask 0b10000001
    eq $vm/$mask 0x81
    refuse ERANGE $vm/$mask 256
    put $vm/$mask 0
done
eq $vm/alerts 0
eq $vm/aen_forward 0
eq $vm/running 0
eq $vm/locked 0
eq $vm/locked_limit 0
eq $vm/gisc/0 0
absent $vm/gisc/8
same "the size of the GISA" "$(stat -c %s "$M/$vm/gisa")" 32
same "the GISA" "$("$IO" pread $vm/gisa 0 8)" 0100000000000000
same "the size of the memory" "$(stat -c %s "$M/$vm/memory")" 1048576
refuse EINVAL $vm/memory_size 1000
put $vm/memory_size 65536
same "the size of the memory" "$(wc -c <"$M/$vm/memory")" 65536

eq $f/guest ""
eq $f/isc 0
eq $f/noi 64
eq $f/max_msi 2048
eq $f/ibv 0x0000000000000000
eq $f/sb 0x0000000000000000
eq $f/sbo 0
eq $f/host 0
eq $f/interpret 1
eq $f/registered 0
eq $f/index ""
eq $f/vectors 0
eq $f/pages 0
eq $f/aibv ""
absent $f/fib
refuse ENODEV $f/guest nobody
refuse EINVAL $f/isc 8
refuse ERANGE $f/isc 300
refuse EINVAL $f/sbo 64
refuse EINVAL $f/noi 0
refuse EINVAL $f/noi 4096
refuse EINVAL $f/max_msi 2049
refuse EBUSY $f/registered 1
refuse EBUSY $f/signal 0
same "reading signal" "$("$IO" read $f/signal)" EACCES

# Registered.
put $g/enabled 1
refuse ENODEV $f/registered 1
put $f/guest vm
put $f/isc 2
put $f/noi 4000
put $f/ibv 0x10000
refuse EIO $f/registered 1
put $f/ibv 0x1f80
put $f/sb 0xfffffffffffffff0
refuse EIO $f/registered 1
put $f/sb 0x3000
put $f/sbo 9
put $vm/locked_limit 2
refuse ENOMEM $f/registered 1
put $vm/locked_limit 3
put $f/registered 1
refuse EINVAL $f/registered 1
eq $f/index 0
eq $f/vectors 2048
eq $f/pages 3
eq $vm/locked 3
eq $vm/gisc/2 1
eq $vm/iam 0x20
eq $g/sbv_end 2
eq $g/entries/0/gisa 0x01000000
eq $g/entries/0/gisc 2
eq $g/entries/0/count 1
eq $g/entries/0/aisbo 9
eq $g/entries/0/aisb 0x0000000100003000
same "the entry's bytes" "$("$IO" pread $g/table 0 16)" 01000000020100090000000100003000
eq $f/fib 'isc = 5
noi = 2048
sum = 1
aibv = 0x0000000100001f80
aibvo = 0
aisb = 0x0000000000012000
aisbo = 0
gd = 0x01000000'
for field in isc noi max_msi ibv sb sbo host; do
    refuse EBUSY $f/$field 1
    put $f/$field "$(cat "$M/$f/$field")"
done
refuse EBUSY $f/guest ' '
refuse EBUSY $vm/memory_size 4096
rmdir "$M/$vm" 2>"$T/said" && fail "a guest with a registered function was removed"
grep -q busy "$T/said" || fail "rmdir said: $(cat "$T/said")"

# Deregistered.
put $f/registered 0
put $f/registered 0
eq $f/index ""
eq $vm/locked 0
eq $vm/iam 0x00
eq $g/entries/0/count 0
same "the entry's bytes" "$("$IO" pread $g/table 0 16)" 00000000000000000000000000000000
same "the summary vector" "$("$IO" pread $g/sbv 0 1)" 00
put $f/host 1
put $f/sb 0
put $f/registered 1
eq $g/entries/0/gisa 0x00000000
eq $g/entries/0/aisb 0x0000000000000000
eq $g/entries/0/aisbo 0
rmdir "$M/$f" || fail "a registered function cannot be removed"
eq $g/entries/0/count 0
rmdir "$M/$vm" || fail "a guest without functions cannot be removed"
