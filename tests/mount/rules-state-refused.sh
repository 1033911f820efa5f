#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A state that is cut, edited, or of another device is refused as a whole, with a line in errors.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/state-lib.sh"

cp "$M/state" "$T/state" || fail "cp"
cp "$M/$b/state" "$T/bus" || fail "cp"
cp "$M/$a/state" "$T/aplic" || fail "cp"

# refused FILE WHAT: cp of it to the state of the bus fails, with a line in errors, and changes nothing.
refused() {
    lines=$(wc -l <"$M/errors")
    cp "$M/$b/state" "$T/before" || fail "cp"
    cp "$1" "$M/$b/state" 2>/dev/null && fail "$2 was taken"
    cmp "$T/before" "$M/$b/state" || fail "$2 changed something"
    [ "$(wc -l <"$M/errors")" = $((lines + 1)) ] || fail "$2 left $(($(wc -l <"$M/errors") - lines)) lines"
    tail -n 1 "$M/errors" | grep -q "^$b/state: E" || fail "$2: $(tail -n 1 "$M/errors")"
}
good=$T/bus
sed 's/^line = 9/line = 8/' "$good" >"$T/bad"
cmp -s "$good" "$T/bad" && fail "there is no line = 9 in $(cat "$good")"
refused "$T/bad" "an edited state with the old checksum"
for n in 1 10 100 "$(($(wc -c <"$good") / 2))" "$(($(wc -c <"$good") - 20))" "$(($(wc -c <"$good") - 2))"; do
    head -c "$n" "$good" >"$T/bad"
    refused "$T/bad" "a state cut at $n bytes"
done
sed '$d' "$good" >"$T/bad"
refused "$T/bad" "a state without its last line"
sed 's/^checksum = .*/checksum = 1/' "$good" >"$T/bad"
refused "$T/bad" "a wrong checksum"
sed 's/^checksum = .*/checksum = some/' "$good" >"$T/bad"
refused "$T/bad" "a checksum of a word"
sed '1s/[0-9][0-9]*/99/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "version 99"
sed '1s/.*/something else/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "another format"
sed 's/^line = 9/line = 9000/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "a value out of range"
sed 's/^line = 9/lime = 9/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "an unknown name"
sed 's/^\[intx.*devices.*/[intx\/bus0\/devices\/-]/; s/^checksum = .*/checksum = none/' "$good" >"$T/bad"
refused "$T/bad" "a name that mkdir refuses"
refused "$T/aplic" "the state of another class"
random_seed
"$IO" random "$seed" 300 >"$T/bad"
refused "$T/bad" "random bytes"
printf 'x\0y\n' >"$T/bad"
refused "$T/bad" "NUL bytes"
for line in 1 '$'; do
    sed "$line"'s/$/\r/' "$good" >"$T/bad"
    refused "$T/bad" "a line end of other systems"
    tail -n 1 "$M/errors" | grep -q ': EINVAL: line [0-9]*: a carriage return' || fail "errors: $(tail -n 1 "$M/errors")"
done

# The root's is all or nothing: the last device's mistake leaves the first as it was.
cp "$M/state" "$T/before" || fail "cp"
sed 's/^sourcecfg\/7 = .*/sourcecfg\/7 = 0x00000001/; s/^line = 9/line = 9000/
    s/^checksum = .*/checksum = none/' "$T/state" >"$T/bad"
cp "$T/bad" "$M/state" 2>/dev/null && fail "a root state with a mistake was taken"
cmp "$T/before" "$M/state" || fail "a refused root state changed something"
eq $a/sourcecfg/7 0x00000004
