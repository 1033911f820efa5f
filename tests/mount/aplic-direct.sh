#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# APLIC with direct delivery: the IDC structures of the harts, priorities, claims.
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

mount_fs -o empty
D=aplic/d
mkdir "$M/$D" || fail "mkdir $D"
put $D/delivery direct
for file in signal_msi msi addr/imsic aia/mode aia/ids aia/hart_bits idc; do
    absent $D/$file
done
put $D/harts 2
put $D/aia/srcs 40
same "regs before init" "$("$IO" pread $D/regs 0x4000 4)" ENODEV
put $D/init 1
refuse EBUSY $D/delivery msi
absent $D/imsic
absent $D/idc/2
same "size of regs" "$(stat -c %s "$M/$D/regs")" $((16384 + 64))
eq $D/domaincfg 0x80000000
put $D/domaincfg 0x105
eq $D/domaincfg 0x80000100
put $D/genmsi 5
eq $D/genmsi 0x00000000

# claimi HART: a hardware read of claimi, as a number.
claimi() {
    "$IO" pread $D/regs $((16384 + 32 * $1 + 28)) 4
}

# Targets have a priority; an inactive source has neither target nor bits.
put $D/target/3 0x40005
eq $D/target/3 0x00000000
put $D/setienum 3
eq $D/enabled ""
put $D/sourcecfg/3 4
put $D/target/3 0xffffffff
eq $D/target/3 0xfffc00ff
put $D/target/3 0x40000
eq $D/target/3 0x00040001
put $D/setienum 3

# An edge, claimed once and only by the hardware read.
put $D/wire/3 1
eq $D/pending 3
eq $D/idc/1/topi 0x00030001
eq $D/idc/1/claimi 0x00030001
eq $D/idc/0/topi 0x00000000
put $D/idc/1/topi 1
put $D/idc/1/claimi 1
eq $D/pending 3
same "a copy claims nothing" "$("$IO" pread $D/regs 0x4020 32 | cut -c 57-64)" 01000300
eq $D/pending 3
same "the claim" "$(claimi 1)" 01000300
eq $D/pending ""
same "the next claim" "$(claimi 1)" 00000000

# A level stays pending while it is asserted; setip and clrip are without effect.
put $D/sourcecfg/4 6
put $D/target/4 7
put $D/setienum 4
put $D/setipnum 4
eq $D/pending ""
put $D/wire/4 1
put $D/in_clrip/0 0x10
put $D/clripnum 4
eq $D/pending 4
same "a claim of a level" "$(claimi 0)" 07000400
eq $D/pending 4
put $D/wire/4 0
eq $D/setip/0 0x00000000
eq $D/idc/0/topi 0x00000000
same "a claim of a level that is deasserted" "$(claimi 0)" 00000000
put $D/sourcecfg/4 4
put $D/setipnum 4
put $D/sourcecfg/4 6
eq $D/pending ""
put $D/sourcecfg/4 2
eq $D/sourcecfg/4 0x00000000
put $D/sourcecfg/4 6
put $D/setienum 4
put $D/target/4 7
eq $D/in_clrip/0 0x00000008

# The highest priority is first, and of equal ones the lowest number; a threshold masks the rest.
for source in 10 11 12; do
    put $D/sourcecfg/$source 1
    put $D/setienum $source
    put $D/setipnum $source
done
put $D/target/10 9
put $D/target/11 3
put $D/target/12 3
eq $D/idc/0/topi 0x000b0003
put $D/idc/0/ithreshold 3
eq $D/idc/0/topi 0x00000000
put $D/idc/0/ithreshold 0x104
eq $D/idc/0/ithreshold 0x00000004
same "first" "$(claimi 0)" 03000b00
same "second" "$(claimi 0)" 03000c00
same "below the threshold" "$(claimi 0)" 00000000
put $D/idc/0/ithreshold 0
same "third" "$(claimi 0)" 09000a00

# A claim that finds nothing clears iforce.
put $D/idc/1/idelivery 3
eq $D/idc/1/idelivery 0x00000001
put $D/idc/1/iforce 1
eq $D/idc/1/iforce 0x00000001
cat "$M/$D/idc/1/claimi" >/dev/null
eq $D/idc/1/iforce 0x00000001
same "a spurious claim" "$(claimi 1)" 00000000
eq $D/idc/1/iforce 0x00000000

# A source that becomes inactive loses its bits; one that becomes active with its input high is pending.
put $D/wire/4 1
eq $D/pending 4
put $D/sourcecfg/4 0x400
eq $D/sourcecfg/4 0x00000000
eq $D/pending ""
put $D/sourcecfg/4 6
eq $D/pending 4
eq $D/enabled "3
10
11
12"

lines=$(wc -l <"$M/errors")
# Words that are no register are read-only zero up to the end of the control region.
for offset in 0x1bc0 0x1ffc 0x2008 0x400c 0x4010 0x4014; do
    same "pwrite at $offset" "$("$IO" pwrite $D/regs $offset ffffffff)" ok
    same "pread at $offset" "$("$IO" pread $D/regs $offset 4)" 00000000
done
same "lines in errors" "$(wc -l <"$M/errors")" "$lines"
same "pwrite behind the end" "$("$IO" pwrite $D/regs 0x4040 01000000)" ENODEV

# Without MSIs there may be 1023 sources.
D=aplic/e
mkdir "$M/$D" || fail "mkdir $D"
refuse EINVAL $D/aia/srcs 1023
put $D/delivery direct
refuse EINVAL $D/aia/srcs 1024
put $D/aia/srcs 1023
refuse EINVAL $D/delivery msi
put $D/init 1
put $D/sourcecfg/1023 7
eq $D/pending 1023
