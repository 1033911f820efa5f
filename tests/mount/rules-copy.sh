#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# cp, tar and rsync copy values and raw files out of the tree; cp and rsync --inplace copy values back.
. "$(dirname "$0")/lib.sh"

mount_fs
a=aplic/aplic0
put $a/sourcecfg/7 4
put $a/target/7 0x40005
put $a/setipnum 7
same "bytes in the table" "$("$IO" pwrite gait/gait0/table 100 0102030405)" ok

# A value, a raw file and a directory of values with cp, out and back.
cp "$M/$a/sourcecfg/7" "$T/value" || fail "cp of a value"
same "the value" "$(cat "$T/value")" 0x00000004
put $a/sourcecfg/7 1
cp "$T/value" "$M/$a/sourcecfg/7" || fail "cp back: $(tail -n 1 "$M/errors")"
eq $a/sourcecfg/7 0x00000004
cp "$M/gait/gait0/table" "$T/table" || fail "cp of a raw file"
cmp "$T/table" "$M/gait/gait0/table" || fail "the raw file differs"
same "bytes in the table" "$("$IO" pwrite gait/gait0/table 100 0000000000)" ok
cp "$T/table" "$M/gait/gait0/table" || fail "cp back of a raw file: $(tail -n 1 "$M/errors")"
same "bytes that came back" "$("$IO" pread gait/gait0/table 100 5)" 0102030405
cp -r "$M/$a/sourcecfg" "$T/sourcecfg" || fail "cp -r"
diff -r "$T/sourcecfg" "$M/$a/sourcecfg" || fail "cp -r differs"
put $a/sourcecfg/7 1
put $a/sourcecfg/8 6
cp "$T"/sourcecfg/* "$M/$a/sourcecfg/" || fail "cp of a directory back: $(tail -n 1 "$M/errors")"
eq $a/sourcecfg/7 0x00000004
eq $a/sourcecfg/8 0x00000000

# complaints FILE WHAT: it complains of unreadable files, and of nothing else.
complaints() {
    grep -o '[a-z0-9]*/[a-z0-9/_]*' "$1" | sed 's|.*/||' | sort -u >"$T/named"
    sed 's|.*/||' "$T/unreadable" | sort -u >"$T/allowed"
    comm -23 "$T/named" "$T/allowed" >"$T/other"
    [ ! -s "$T/other" ] || fail "$2 could not copy $(cat "$T/other"): $(cat "$1")"
}

# Whole devices with tar: streams are empty files in it, and all else is as it reads.
devices='aplic/aplic0 console/con0 gait/gait0 hwqueue/smmu0 intx/bus0'
find "$M" -type f ! -perm -400 >"$T/unreadable"
# shellcheck disable=SC2086
tar -C "$M" -cf "$T/tree.tar" --ignore-failed-read $devices 2>"$T/out" || fail "tar: $(cat "$T/out")"
complaints "$T/out" tar
mkdir "$T/tree"
tar -C "$T/tree" -xf "$T/tree.tar" || fail "tar -x"
# compare DIRECTORY WHAT: every file that is no stream is in it, with the same bytes.
compare() {
    # Opening the streams of a console opens its ports, which its queues and its state show.
    (cd "$M" && find aplic gait hwqueue intx -type f -perm -400 -size +0c) >"$T/files"
    [ "$(wc -l <"$T/files")" -gt 3000 ] || fail "only $(wc -l <"$T/files") files to compare"
    for side in "$M" "$1"; do
        (cd "$side" && xargs -d '\n' cksum <"$T/files") || fail "$2: a file is missing"
    done >"$T/sums"
    # Each line is there twice, once of each side.
    sort "$T/sums" | uniq -u >"$T/differ"
    [ ! -s "$T/differ" ] || fail "$2 differs: $(head -n 10 "$T/differ")"
}
compare "$T/tree" tar

command -v rsync >/dev/null || skip "rsync is not installed"
rsync -a "$M/aplic" "$M/console" "$M/gait" "$M/hwqueue" "$M/intx" "$T/rsync/" >"$T/out" 2>&1
status=$?
# 23: not all was transferred.
[ $status = 0 ] || [ $status = 23 ] || fail "rsync: $(cat "$T/out")"
grep 'failed: ' "$T/out" | sed 's/^[^"]*"\([^"]*\)".*/\1/' >"$T/failed"
complaints "$T/failed" rsync
compare "$T/rsync" rsync
put $a/sourcecfg/7 1
put $a/sourcecfg/9 6
rsync -rI --inplace "$T/rsync/aplic/aplic0/sourcecfg/" "$M/$a/sourcecfg/" >"$T/out" 2>&1 ||
    fail "rsync --inplace: $(cat "$T/out")"
eq $a/sourcecfg/7 0x00000004
eq $a/sourcecfg/9 0x00000000
rsync -aI --inplace "$T/rsync/aplic/aplic0/target/" "$M/$a/target/" >"$T/out" 2>&1 ||
    fail "rsync -a --inplace: $(cat "$T/out")"
eq $a/target/7 0x00040005
