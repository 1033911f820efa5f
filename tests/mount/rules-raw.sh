#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Register windows: an access of a register's width is a hardware access, a longer one is a copy, others are
# refused.
. "$(dirname "$0")/lib.sh"

mount_fs
a=aplic/aplic0
regs=$a/regs
same "the size of regs" "$(stat -c %s "$M/$regs")" 16384

# An access of the register's width is a hardware access.
same "domaincfg" "$("$IO" pread $regs 0 4)" 04000080
same "a write of sourcecfg[3]" "$("$IO" pwrite $regs 0xc 06000000)" ok
eq $a/sourcecfg/3 0x00000006
put $a/sourcecfg/4 4
same "sourcecfg[4]" "$("$IO" pread $regs 0x10 4)" 04000000

# Misaligned or shorter ones are refused, read and write.
for access in '0 1' '0 2' '0 3' '1 4' '2 4' '3 4' '4 2' '1 8'; do
    # shellcheck disable=SC2086
    same "a read at $access" "$("$IO" pread $regs $access)" EOPNOTSUPP
done
for access in '0xc 00' '0xc 0000' '0xc 000000' '0xd 00000000' '0xe 0000000000000000'; do
    # shellcheck disable=SC2086
    same "a write at $access" "$("$IO" pwrite $regs $access)" EOPNOTSUPP
done
eq $a/sourcecfg/3 0x00000006
tail -n 1 "$M/errors" | grep -q "^$regs: EOPNOTSUPP: " || fail "errors: $(tail -n 1 "$M/errors")"

# A longer aligned read is a copy that ends at the size; words without a register are 0.
same "two words" "$("$IO" pread $regs 0xc 8)" 0600000004000000
same "the whole" "$(wc -c <"$M/$regs")" 16384
same "up to the end" "$("$IO" pread $regs 0x3ff8 64 | tr -d '\n' | wc -c)" 16
same "at the end" "$("$IO" pread $regs 0x4000 8)" ""
same "at the end with a byte left in the buffer" "$("$IO" pread $regs 0x4000 1)" ""
same "a hole" "$("$IO" pread $regs 0x1000 8)" 0000000000000000
dd if="$M/$regs" of="$T/regs" bs=4096 2>/dev/null || fail "dd"
cmp "$T/regs" "$M/$regs" || fail "two copies differ"

# A longer write is one access after the other.
same "two registers" "$("$IO" pwrite $regs 0xc 0100000005000000)" ok
eq $a/sourcecfg/3 0x00000001
eq $a/sourcecfg/4 0x00000005

# A copy has no side effects; the hardware read has: claimi takes what topi shows.
d=aplic/direct
mkdir "$M/$d" || fail "mkdir"
same "regs before init" "$("$IO" pread $d/regs 0 4)" ENODEV
same "a write before init" "$("$IO" pwrite $d/regs 0 00010000)" ENODEV
put $d/delivery direct
put $d/aia/srcs 31
put $d/init 1
same "the size with an IDC" "$(stat -c %s "$M/$d/regs")" $((0x4000 + 32))
put $d/domaincfg 0x100
put $d/sourcecfg/1 1
put $d/target/1 1
put $d/setienum 1
put $d/idc/0/idelivery 1
put $d/setipnum 1
eq $d/idc/0/claimi 0x00010001
eq $d/idc/0/claimi 0x00010001
same "a copy" "$("$IO" pread $d/regs 0x4018 8)" 0100010001000100
eq $d/pending 1
same "the hardware read" "$("$IO" pread $d/regs 0x401c 4)" 01000100
eq $d/pending ''
eq $d/idc/0/topi 0x00000000

# An aligned access reaches either half of a wide register, and nothing lies behind the end.
w=hwqueue/smmu0/regs
put hwqueue/smmu0/ioas/map "0x10000000000 0x1000"
mkdir "$M/hwqueue/smmu0/queues/0" || fail "mkdir of a queue"
put hwqueue/smmu0/queues/0/base 0x10000000000
same "a wide register" "$("$IO" pread $w 0x20000 8)" 0800000000010000
same "its first half" "$("$IO" pread $w 0x20000 4)" 08000000
same "its second half" "$("$IO" pread $w 0x20004 4)" 00010000
same "a quarter of it" "$("$IO" pread $w 0x20000 2)" EOPNOTSUPP
same "its middle" "$("$IO" pread $w 0x20002 4)" EOPNOTSUPP
same "a write to its second half" "$("$IO" pwrite $w 0x20004 00020000)" ok
same "both halves after that" "$("$IO" pread $w 0x20000 8)" 0800000000020000
same "a write to its first half" "$("$IO" pwrite $w 0x20000 09000000)" ok
same "both halves after that" "$("$IO" pread $w 0x20000 8)" 0900000000020000
same "a write of the whole" "$("$IO" pwrite $w 0x20000 0800000000010000)" ok
same "a copy that begins in it" "$("$IO" pread $w 0x20004 12 | cut -c 1-8)" 00010000
same "a write behind the end" "$("$IO" pwrite $w "$(stat -c %s "$M/$w")" 01000000)" EFBIG
same "a read behind it" "$("$IO" pread $w "$(stat -c %s "$M/$w")" 4)" ""

case $("$IO" mmap-load $regs 0 4) in
ENODEV) ;;
*) fail "regs can be mapped" ;;
esac
