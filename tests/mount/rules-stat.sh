#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The size in stat(2) is the length of a read, for every file of a plain mount; mtime follows changes.
. "$(dirname "$0")/lib.sh"

mount_fs
d=intx/bus0/devices/d
mkdir "$M/$d" "$M/hwqueue/smmu0/queues/0" "$M/gait/gait0/guests/g" "$M/gait/gait0/functions/1" \
    "$M/console/con0/ports/1" "$M/hwqueue/smmu0/vdevices/1" || fail "mkdir"

# The streams, by name: size 0 and no read. All others are read and counted.
find "$M" -type f -perm -400 \( -name control -o -name errors_log -o -name data -o -name guest -o -name msi \
    -o -name events -o -name veventq \) ! -path '*/functions/*' >"$T/streams"
while IFS= read -r file; do
    same "the size of the stream ${file#"$M"/}" "$(stat -c %s "$file")" 0
    same "the type of ${file#"$M"/}" "$(stat -c %F "$file")" "regular empty file"
done <"$T/streams"
[ "$(wc -l <"$T/streams")" -ge 6 ] || fail "streams: $(cat "$T/streams")"

# A file of memory is not read whole: it may be large and is zeros.
find "$M" -type f -perm -400 >"$T/all"
grep -vxF -f "$T/streams" "$T/all" >"$T/values"
[ "$(wc -l <"$T/values")" -gt 3000 ] || fail "only $(wc -l <"$T/values") files"
tr '\n' '\0' <"$T/values" | xargs -0 stat -c '%s %n' >"$T/sizes" || fail "stat failed"
tr '\n' '\0' <"$T/values" | xargs -0 wc -c >"$T/counts" || fail "a file cannot be read"
sed -E 's/^ *([0-9]+) (.*)$/\1 \2/; / total$/d' "$T/counts" >"$T/read"
# Counters of the engine move while they are looked at.
for list in sizes read; do
    grep -v '/engine/' "$T/$list" >"$T/$list.still"
done
diff "$T/sizes.still" "$T/read.still" >"$T/differ" || fail "size and read differ:
$(head -n 20 "$T/differ")"

# cp agrees byte by byte where wc counts with fstat(2).
cat "$M/aplic/aplic0/sourcecfg/1" "$M/version" | wc -c >"$T/cat"
same "cat" "$(cat "$T/cat")" "$(($(stat -c %s "$M/aplic/aplic0/sourcecfg/1") + $(stat -c %s "$M/version")))"

# The size follows the value.
put $d/line 254
same "the size of 254" "$(stat -c %s "$M/$d/line")" 4
put $d/line 5
same "the size of 5" "$(stat -c %s "$M/$d/line")" 2
put $d/host_type msi
same "the size of msi" "$(stat -c %s "$M/$d/host_type")" 4
put $d/host_type intx

# mtime moves with the value, also when the daemon changes it, and stays otherwise.
mtime() {
    stat -c %y "$M/$1"
}
put $d/enabled 1
for file in guest_level line interrupts masked; do
    mtime $d/$file >"$T/mtime.$file"
done
next_time
put $d/assert 1
for file in guest_level interrupts masked; do
    [ "$(mtime $d/$file)" != "$(cat "$T/mtime.$file")" ] || fail "the mtime of $file did not move"
done
same "the mtime of line" "$(mtime $d/line)" "$(cat "$T/mtime.line")"
same "the mtime of guest_level, again" "$(mtime $d/guest_level)" "$(mtime $d/guest_level)"

# Directories are directories, and what is not there is not there.
same "the mode of a directory" "$(stat -c %A "$M/aplic/aplic0/sourcecfg" | cut -c 1)" d
absent $d/nothing
absent aplic/aplic0/sourcecfg/0
absent aplic/aplic0/sourcecfg/97
absent aplic/aplic0/sourcecfg/01
absent aplic/aplic0/wire/1024
absent gait/gait0/entries/512

# Inodes that the kernel dropped to free memory get the same times and number again.
if [ "$(id -u)" = 0 ] && [ -w /proc/sys/vm/drop_caches ]; then
    next_time
    put $d/assert 0
    put $d/ack 1
    set -- "$M/$d" "$M/$d/line" "$M/$d/guest_level" "$M/$d" "$M/intx/bus0/devices" "$M/aplic/aplic0/sourcecfg" \
        "$M/aplic/aplic0/sourcecfg/7" "$M/aplic/aplic0/domaincfg" "$M/$d/state" "$M/intx/bus0/state"
    stat -c '%n %i %y' "$@" >"$T/before" 2>/dev/null
    next_time
    echo 2 >/proc/sys/vm/drop_caches
    stat -c '%n %i %y' "$@" >"$T/after" 2>/dev/null
    diff "$T/before" "$T/after" >"$T/differ" || fail "numbers and times after drop_caches:
$(cat "$T/differ")"
    # A removed object does not keep its number.
    rmdir "$M/$d" || fail "rmdir"
    mkdir "$M/$d" || fail "mkdir"
    [ "$(stat -c %i "$M/$d")" != "$(sed -n 's/^[^ ]* \([0-9]*\) .*/\1/p;q' "$T/before")" ] ||
        fail "a new object has the number of an old one"
else
    skip_part "drop_caches: only root may write to it"
fi
