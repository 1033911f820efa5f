#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Consecutive writes to one open file are one list; a single value is one line.
. "$(dirname "$0")/lib.sh"

command -v bash >/dev/null || skip "bash is not installed, whose builtins write line by line"
mount_fs
list=aplic/aplic0/imsic/0/pending
value=aplic/aplic0/sourcecfg/7
cd "$M" || fail "cd"

# in_bash COMMAND: its status, as a script sees it.
in_bash() {
    bash -c "$1" 2>"$T/out"
}

# Line by line, and in pieces that end within a line.
in_bash "printf '3\n5\n7\n' >$list" || fail "three lines: $(tail -n 1 errors)"
eq $list "$(printf '3\n5\n7')"
in_bash "{ echo 9; echo 0x0b; cat <<<13; } >$list" || fail "lines of several commands: $(tail -n 1 errors)"
eq $list "$(printf '9\n11\n13')"
printf '0x10\n21\n' | dd of=$list bs=1 conv=notrunc status=none || fail "a byte at a time: $(tail -n 1 errors)"
eq $list "$(printf '16\n21')"
in_bash "exec 4>$list; echo 1 >&4; echo 2 >&4; exec 4>&-" || fail "an open descriptor: $(tail -n 1 errors)"
eq $list "$(printf '1\n2')"
in_bash "echo 6 >>$list" || fail "an append is a value too: $(tail -n 1 errors)"
eq $list 6

# One wrong line fails in its write, and none of the others is taken.
for lines in 'x' '3\nx\n7' 'x\n7' '3\n5\n256' '0\n3' '3\n-1'; do
    before=$(cat $list)
    in_bash "printf '$lines\n' >$list" && fail "'$lines' was taken"
    same "the list after '$lines'" "$(cat $list)" "$before"
    tail -n 1 errors | grep -q "^$list: E" || fail "errors: $(tail -n 1 errors)"
done
refuse EINVAL $list 5x
refuse EINVAL $list 256

# An empty list is copied back.
: >"$T/empty"
cp "$T/empty" $list || fail "cp of an empty list"
eq $list ''
in_bash "echo 4 >$list" || fail "echo"
in_bash ": >$list" || fail "O_TRUNC of a list"
eq $list ''
in_bash "echo 4 >$list" || fail "echo"
truncate -s 0 $list || fail "truncate"
eq $list 4
cp $list "$T/list" || fail "cp"
in_bash ": >$list"
cp "$T/list" $list || fail "cp back"
eq $list 4
# O_TRUNC alone does not empty it before a line that is refused.
in_bash "echo x >$list" && fail "x was taken"
eq $list 4
# Without write access there is nothing to empty.
in_bash "cat <$list >/dev/null" || fail "cat"
eq $list 4

# errors.
[ -s errors ] || fail "errors is empty"
in_bash ": >errors" || fail "O_TRUNC of errors"
eq errors ''

# A value has one line, also when the lines come in two writes.
in_bash "printf '4\n5\n' >$value" && fail "two lines were taken"
eq $value 0x00000004
tail -n 1 errors | grep -q "^$value: EINVAL: a second line" || fail "errors: $(tail -n 1 errors)"
in_bash "exec 4>$value; echo 5 >&4; exec 4>$value; echo 6 >&4" || fail "two opens: $(tail -n 1 errors)"
eq $value 0x00000006
# Output without a buffer ends its line in a write of its own.
in_bash "exec 4>$value; printf 7 >&4; echo >&4" || fail "a line in two writes: $(tail -n 1 errors)"
eq $value 0x00000007
name=console/con0/ports/0/name
in_bash "exec 4>$name; printf login >&4; printf '\n' >&4" || fail "a name in two writes: $(tail -n 1 errors)"
eq $name login
in_bash "printf '5\n\n \n' >$value" || fail "empty lines behind a value: $(tail -n 1 errors)"
eq $value 0x00000005
in_bash "exec 4>$value; printf 4 >&4; echo >&4; printf ' ' >&4; echo 5 >&4" && fail "a line behind the newline was taken"
tail -n 1 errors | grep -q "^$value: EINVAL: a second line" || fail "errors: $(tail -n 1 errors)"
# A NUL byte is named.
for file in $value $name $list; do
    in_bash "printf '4\0\n' >$file" && fail "$file takes a NUL byte"
    tail -n 1 errors | grep -q "^$file: EINVAL: .*NUL" || fail "errors: $(tail -n 1 errors)"
done
# Commands are one a line.
in_bash "printf '0x100000 0x1000\n0x200000 0x1000\n' >hwqueue/smmu0/ioas/map" || fail "two commands: $(tail -n 1 errors)"
same "mappings" "$(wc -l <hwqueue/smmu0/ioas/mappings)" 2

# Text that no state begins with is refused by write(2), so that the builtin fails.
for text in bogus 'virtdevfs-state 9' 'virtdevfs-state 1\n[nothing/x]' 'virtdevfs-state 1\nx = 1'; do
    in_bash "printf '$text\n' >aplic/aplic0/state" && fail "'$text' was taken"
    tail -n 1 errors | grep -q '^aplic/aplic0/state: EINVAL' || fail "errors: $(tail -n 1 errors)"
done
# Its lines may come one by one.
cp state "$T/state" || fail "cp"
in_bash 'while IFS= read -r line; do printf "%s\n" "$line"; done <"'"$T/state"'" >state' ||
    fail "a state line by line: $(tail -n 1 errors)"
cmp "$T/state" state || fail "a state that came line by line differs"

# Behind a whole state, which is in force, nothing more is taken.
in_bash "{ cat $T/state; echo more; } >state" && fail "text behind a whole state was taken"
tail -n 1 errors | grep -q '^state: EINVAL: offset [0-9]*: a state begins at offset 0' || fail "errors: $(tail -n 1 errors)"
cmp "$T/state" state || fail "a state with text behind it differs"

# Comments, and lines that cannot be, are not kept: three files in work cost nothing.
resident() {
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(daemon_pids | head -n 1)/status"
}
before=$(resident)
exec 4>state 5>aplic/aplic0/state 6>gait/gait0/state
for fd in 4 5 6; do
    head -c 50000000 /dev/zero | tr '\0' '#' >&$fd || fail "a comment was refused: $(tail -n 1 errors)"
done
after=$(resident)
[ $((after - before)) -lt 50000 ] || fail "$((after - before)) KiB for comments"
exec 4>&- 5>&- 6>&-
cmp "$T/state" state || fail "comments changed something"
cd /
