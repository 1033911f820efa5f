#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A refused operation changes nothing and adds a line to errors, which keeps the last 256 lines.
. "$(dirname "$0")/lib.sh"

mount_fs
d=intx/bus0/devices/d
mkdir "$M/$d" || fail "mkdir"
eq errors ''

# Path, errno name, what was wrong and what would be right.
refuse EINVAL $d/line 300
case $(cat "$M/errors") in
"$d/line: EINVAL: "*300*254*) ;;
*) fail "errors: $(cat "$M/errors")" ;;
esac
refuse ERANGE $d/command 0x10000
refuse ENODEV $d/backend vfio
refuse EINVAL $d/host_type both
case $(tail -n 1 "$M/errors") in
*both*intx*msi*) ;;
*) fail "the words are not named: $(tail -n 1 "$M/errors")" ;;
esac
put $d/enabled 1
refuse EBUSY $d/line 1
same "lines in errors" "$(wc -l <"$M/errors")" 5

# mkdir and rmdir, too.
mkdir "$M/intx/bus0/devices/-" 2>"$T/out" && fail "mkdir of '-' succeeded"
grep -q 'Invalid argument' "$T/out" || fail "$(cat "$T/out")"
same "lines in errors" "$(wc -l <"$M/errors")" 6
grep -q '^intx/bus0/devices.*EINVAL' "$M/errors" || fail "mkdir left no line"

# A quoted value with newlines and control bytes stays on its line.
"$IO" write $d/line "$(printf '1\n2\033\001[31m')" >"$T/out"
same "the answer" "$(cat "$T/out")" EINVAL
same "lines in errors" "$(wc -l <"$M/errors")" 7
same "control bytes in errors" "$(tr -cd '\000-\011\013-\037\177' <"$M/errors" | wc -c)" 0

# errors_log has the same lines for a waiting reader, also after errors was emptied.
same "the first lines of errors_log" "$(head -n 7 "$M/errors_log")" "$(cat "$M/errors")"
cat "$M/errors_log" >"$T/log" &
reader=$!
has_lines() {
    [ "$(wc -l <"$T/log")" = "$1" ]
}
wait_for 10 has_lines 7 || fail "a reader of errors_log does not get what is there"
refuse EINVAL $d/line 300
wait_for 10 has_lines 8 || fail "a reader of errors_log does not get the next line"
same "the last lines" "$(tail -n 1 "$T/log")" "$(tail -n 1 "$M/errors")"
put errors x
eq errors ''
refuse EINVAL $d/line 301
wait_for 10 has_lines 9 || fail "a reader of errors_log gets nothing after errors was emptied"
eq errors_log_lost 0
kill $reader

# A new line is reported by POLLPRI.
same "POLLPRI on errors" "$("$IO" poll errors pri 20000 "$IO" write $d/line x | tail -n 1)" pri

# Writing empties it.
put errors 0
eq errors ''
same "the size" "$(stat -c %s "$M/errors")" 0
refuse EINVAL $d/line 300
put errors 'anything at all'
eq errors ''

# The last 256 are kept.
value=1000
while [ $value -lt 1300 ]; do
    { printf '%s\n' $value >"$M/$d/line"; } 2>/dev/null && fail "$value was taken"
    value=$((value + 1))
done
same "lines in errors" "$(wc -l <"$M/errors")" 256
head -n 1 "$M/errors" | grep -q 1044 || fail "the first: $(head -n 1 "$M/errors")"
tail -n 1 "$M/errors" | grep -q 1299 || fail "the last: $(tail -n 1 "$M/errors")"
same "the size" "$(stat -c %s "$M/errors")" "$(cat "$M/errors" | wc -c)"
eq $d/line 0

# errors is no part of a state.
grep -q 1299 "$M/state" && fail "errors are in the state"

# Creating what a device would have in another state says what is missing.
create() {
    { printf x >"$M/$1"; } 2>"$T/out" && fail "$1 was made"
    grep -q 'not permitted' "$T/out" || fail "$1: $(cat "$T/out")"
    tail -n 1 "$M/errors" | grep -q "^$1: EPERM: .*$2" || fail "$1: $(tail -n 1 "$M/errors")"
}
mkdir "$M/aplic/new" "$M/intx/bus0/devices/e" || fail "mkdir"
create aplic/new/domaincfg "needs 1 written to init"
create aplic/new/imsic "needs 1 written to init"
create aplic/new/wire/1024 "1..1023"
create aplic/aplic0/sourcecfg/97 "1..srcs"
create hwqueue/smmu0/queues/cmd "needs type amd"
create intx/bus0/devices/f "mkdir"
create intx/bus0/devices/e/nothing "only mkdir and rmdir"

# Swap files of editors and copies do not push out what else was refused.
put errors 0
refuse EINVAL $d/line 300
number=0
while [ $number -lt 300 ]; do
    { printf x >"$M/$d/.line.swp$number"; } 2>/dev/null && fail "a file was made"
    number=$((number + 1))
done
head -n 1 "$M/errors" | grep -q 'line: EINVAL: 300' || fail "the first: $(head -n 1 "$M/errors")"
tail -n 1 "$M/errors" | grep -q 'swp299: EPERM' || fail "the last: $(tail -n 1 "$M/errors")"
[ "$(wc -l <"$M/errors")" -lt 50 ] || fail "$(wc -l <"$M/errors") lines of an editor"
