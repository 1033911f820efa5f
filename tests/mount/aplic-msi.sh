#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# APLIC with MSI delivery: every register as a file and through `regs`, wires, the log of MSIs, the
# interrupt files of the harts.
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/aplic-lib.sh"

mount_aplic
D=aplic/aplic0

# Registers: 96 sources take four words.
same "sources" "$(find "$M/$D/sourcecfg" -type f | wc -l)" 96
same "targets" "$(find "$M/$D/target" -type f | wc -l)" 96
for file in setip in_clrip setie clrie; do
    same "words of $file" "$(find "$M/$D/$file" -type f | wc -l)" 4
    eq $D/$file/3 0x00000000
done
put $D/domaincfg 0xffffffff
eq $D/domaincfg 0x80000104
put $D/domaincfg 0
eq $D/domaincfg 0x80000004
refuse ERANGE $D/domaincfg 0x100000000
refuse EINVAL $D/domaincfg on
put $D/sourcecfg/5 0x4
eq $D/sourcecfg/5 0x00000004
put $D/sourcecfg/5 0b1010
eq $D/sourcecfg/5 0x00000002
put $D/sourcecfg/5 0x407
eq $D/sourcecfg/5 0x00000000
put $D/target/5 0xffffffff
eq $D/target/5 0xfffff7ff
put $D/setie/0 0xffffffff
eq $D/setie/0 0xfffffffe
put $D/setie/3 0xffffffff
eq $D/setie/3 0x00000001
put $D/clrie/0 0xffffff0f
eq $D/setie/0 0x000000f0
eq $D/clrie/0 0x00000000
put $D/clrienum 7
put $D/setienum 1
eq $D/enabled "1
4
5
6
96"
put $D/clrie/0 0xffffffff
put $D/clrie/3 0xffffffff
eq $D/enabled ""
for file in setipnum clripnum setienum clrienum setipnum_le setipnum_be; do
    put $D/$file 97
    put $D/$file 0
    put $D/$file 0xffffffff
    eq $D/$file 0x00000000
done
eq $D/pending ""

# Pending bits of detached sources.
for source in 33 34 35 36; do
    put $D/sourcecfg/$source 1
done
put $D/setip/1 0x2
put $D/setipnum 34
put $D/setipnum_le 35
put $D/setipnum_be 0x24000000
eq $D/setip/1 0x0000001e
eq $D/pending "33
34
35
36"
put $D/in_clrip/1 0x6
put $D/clripnum 35
eq $D/pending 36
put $D/clripnum 36

# A wire: edge, then level; it reads what was written.
put $D/sourcecfg/1 4
put $D/wire/1 1
eq $D/wire/1 1
eq $D/in_clrip/0 0x00000002
eq $D/pending 1
put $D/clripnum 1
put $D/wire/1 1
eq $D/pending ""
put $D/wire/1 0
put $D/sourcecfg/2 7
eq $D/in_clrip/0 0x00000004
put $D/wire/2 0
eq $D/pending 2
put $D/wire/2 1
eq $D/pending 2
put $D/setip/0 0x4
put $D/clripnum 2
put $D/setipnum 2
eq $D/pending ""
refuse ENODEV $D/wire/97 1
refuse ENODEV $D/wire/1023 0
refuse EINVAL $D/wire/1 2
eq $D/wire/97 0

# From the wire to the interrupt file of a hart, with a line in the log.
[ "$("$IO" read $D/msi)" = EAGAIN ] || fail "there are MSIs already"
put $D/target/1 0x40005
put $D/setienum 1
put $D/wire/1 1
eq $D/pending 1
put $D/domaincfg 0x100
eq $D/pending ""
eq $D/imsic/1/pending 5
eq $D/imsic/0/pending ""
put $D/genmsi 7
eq $D/genmsi 0x00000007
put $D/genmsi 0x8003f009
eq $D/genmsi 0x80000009
put $D/genmsi 0x100
put $D/signal_msi '0x28000004 0x08000000'
same "the log of MSIs" "$("$IO" read $D/msi)" "hart=1 guest=0 eiid=5 delivered
hart=0 guest=0 eiid=7 delivered
hart=8192 guest=0 eiid=9 dropped
hart=0 guest=0 eiid=256 dropped
hart=0 guest=0 eiid=8 delivered"
eq $D/msi_lost 0
same "poll of the log" "$("$IO" poll $D/msi in 0)" in
put $D/signal_msi '0x30000000 9'
refuse ENODEV $D/signal_msi '0x28000008 9'
refuse ENODEV $D/signal_msi '0x28000000 0'
refuse EINVAL $D/signal_msi '0x28000000 256'
refuse EINVAL $D/signal_msi 5
refuse ERANGE $D/signal_msi '0x28000000 0x100000000'
same "a read of signal_msi" "$("$IO" pread $D/signal_msi 0 1)" EACCES

# Interrupt files.
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

# The window.
same "size of regs" "$(stat -c %s "$M/$D/regs")" 16384
same "domaincfg in regs" "$("$IO" pread $D/regs 0 4)" 04010080
same "a store" "$("$IO" pwrite $D/regs 0x3004 2a000400)" ok
eq $D/target/1 0x0004002a
same "two stores" "$("$IO" pwrite $D/regs 4 0100000006000000)" ok
eq $D/sourcecfg/1 0x00000001
eq $D/sourcecfg/2 0x00000006
same "a copy" "$("$IO" pread $D/regs 0x180 16)" 00000000000000000000000000000000
same "a whole copy" "$(dd if="$M/$D/regs" bs=4096 2>/dev/null | wc -c)" 16384
for offset in 1 2 3 0x1c01 0x3002; do
    same "pread at $offset" "$("$IO" pread $D/regs $offset 4)" EOPNOTSUPP
    same "pwrite at $offset" "$("$IO" pwrite $D/regs $offset 00000000)" EOPNOTSUPP
done
same "a narrow load" "$("$IO" pread $D/regs 0 2)" EOPNOTSUPP
same "a narrow store" "$("$IO" pwrite $D/regs 0 00)" EOPNOTSUPP
for offset in 0x184 0x1bc0 0x1c10 0x2008 0x3184 0x3ffc; do
    same "pread at $offset" "$("$IO" pread $D/regs $offset 4)" ENODEV
    same "pwrite at $offset" "$("$IO" pwrite $D/regs $offset 00000000)" ENODEV
done
same "pwrite at the end" "$("$IO" pwrite $D/regs 0x4000 00000000)" ENODEV
