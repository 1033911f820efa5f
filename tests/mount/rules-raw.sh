#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 7: raw files at offsets, hardware accesses in regs, mapped memory.
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

# Bytes of memory: any offset, any length, up to the end and not beyond.
t=gait/gait0/table
same "the size of the table" "$(stat -c %s "$M/$t")" 8192
same "the size of sbv" "$(stat -c %s "$M/gait/gait0/sbv")" 64
same "bytes at an odd offset" "$("$IO" pwrite $t 8177 a1b2c3)" ok
same "the same bytes" "$("$IO" pread $t 8177 3)" a1b2c3
same "the bytes around" "$("$IO" pread $t 8176 5)" 00a1b2c300
same "a read across the end" "$("$IO" pread $t 8190 16)" 0000
same "a read at the end" "$("$IO" pread $t 8192 4)" ""
same "a read far beyond" "$("$IO" pread $t 0x7fffffff00000000 4)" ""
case $("$IO" pwrite $t 8192 00) in
ok | 1) fail "a write beyond the end was taken" ;;
esac
case $("$IO" pwrite $t 0x7fffffff00000000 00) in
ok | 1) fail "a write far beyond the end was taken" ;;
esac
same "the size still" "$(stat -c %s "$M/$t")" 8192
truncate -s 0 "$M/$t" || fail "truncate was refused"
same "the bytes after truncate" "$("$IO" pread $t 8177 3)" a1b2c3
cp "$M/$t" "$T/table" || fail "cp"
cmp "$T/table" "$M/$t" || fail "the copy differs"

# Mapped: a store is seen by read(2), and a write by the mapping.
mapped=$("$IO" mmap-store $t 16 5a5a5a5a)
case $mapped in
ok)
    same "what was stored" "$("$IO" pread $t 16 4)" 5a5a5a5a
    same "a write" "$("$IO" pwrite $t 20 11223344)" ok
    same "the mapping" "$("$IO" mmap-load $t 16 8)" 5a5a5a5a11223344
    # read(2) and write(2) are between the kernel and the memory: they need no daemon.
    exec 3<>"$M/$t"
    pid=$(daemon_pids)
    kill -STOP "$pid"
    printf 'abcd' >&3
    got=$(timeout 20 dd bs=20 count=1 <&3 2>/dev/null | od -An -tx1 | tr -d ' \n')
    kill -CONT "$pid"
    exec 3<&-
    same "a read while the daemon is stopped" "$got" 0000000000000000000000005a5a5a5a11223344
    same "what was written meanwhile" "$("$IO" pread $t 0 4)" 61626364
    # The page of the vector may be mapped whole, but the file ends after 64 bytes.
    same "a store behind the end" "$("$IO" mmap-store gait/gait0/sbv 4088 ffffffffffffffff)" ok
    ;;
ENODEV)
    # Without passthrough the rest works.
    same "read(2)" "$("$IO" pread $t 8177 3)" a1b2c3
    ;;
*) fail "mmap: $mapped" ;;
esac
# stat(2) and poll(2) know of what was written.
before=$(stat -c %.Y "$M/$t")
sleep 0.02
same "a write" "$("$IO" pwrite $t 24 77)" ok
[ "$before" != "$(stat -c %.Y "$M/$t")" ] || fail "a write has not moved the mtime"
before=$(stat -c %.Y "$M/$t")
cat "$M/$t" >/dev/null
same "the mtime after a read" "$(stat -c %.Y "$M/$t")" "$before"
same "POLLPRI on a write" "$("$IO" poll $t pri 20000 "$IO" pwrite $t 24 78 | tail -n 1)" pri
same "POLLPRI without one" "$("$IO" poll $t pri 100)" timeout
same "the vector across its end" "$("$IO" pread gait/gait0/sbv 60 8)" 00000000
same "the vector at its end" "$("$IO" pread gait/gait0/sbv 64 8)" ""
case $("$IO" pwrite gait/gait0/sbv 64 00) in
ok | 1) fail "a write beyond the end of the vector was taken" ;;
esac
# Whoever opens it to look at it changes nothing.
exec 3<"$M/gait/gait0/table"
before=$(stat -c %.Y "$M/gait/gait0/sbv")
exec 4<"$M/aplic/aplic0/msi" 5<"$M/hwqueue/smmu0/memory"
exec 3<&- 4<&- 5<&-
same "the mtime after the files of others were opened" "$(stat -c %.Y "$M/gait/gait0/sbv")" "$before"

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
exit 0
