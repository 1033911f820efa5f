#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Files of bytes: any offset and length up to the end, and what stat(2) and poll(2) report of them.
. "$(dirname "$0")/lib.sh"

mount_fs
t=gait/gait0/table

# Bytes of memory: any offset, any length, up to the end and not beyond.
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

# stat(2) and poll(2) know of what was written.
before=$(stat -c %.Y "$M/$t")
next_time
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
# Opening the files of others changes nothing.
exec 3<"$M/gait/gait0/table"
before=$(stat -c %.Y "$M/gait/gait0/sbv")
exec 4<"$M/aplic/aplic0/msi" 5<"$M/hwqueue/smmu0/memory"
exec 3<&- 4<&- 5<&-
same "the mtime after the files of others were opened" "$(stat -c %.Y "$M/gait/gait0/sbv")" "$before"
