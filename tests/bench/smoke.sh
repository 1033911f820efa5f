#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The benchmark runs, and its JSON has every row. What it has measured is not looked at: other tests run.
#
#   VDF_BIN=build/debug/virtdevfs tests/bench/smoke.sh
set -u
here=$(dirname "$0")
VDF_BIN=${VDF_BIN:-build/release/virtdevfs}
io=$(dirname "$VDF_BIN")/tests/vdfio
export VDF_BIN

skip() {
    echo "skipped: $*"
    exit 77
}

[ -e /dev/fuse ] || skip "this machine has no /dev/fuse"

out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

fail() {
    echo "failed: $*" >&2
    exit 1
}

"$here/run" --quick --rounds 3 --json "$out/json" --plots "$out" >"$out/table" 2>"$out/progress" || {
    cat "$out/table" "$out/progress" >&2
    fail "the benchmark has ended with $?"
}
"$io" json "$out/json" >"$out/flat" || fail "wrong JSON: $(head -c 2000 "$out/json")"
grep -qx 'format 1' "$out/flat" || fail "another format"
"$here/run" --list | while read -r row _; do
    grep -q "^lines\.[0-9]*\.row \"$row\"\$" "$out/flat" || fail "$row is missing"
done || exit 1
lines=$(grep -c '^lines\.[0-9]*\.row ' "$out/flat")
told=$(grep -cE '^lines\.[0-9]*\.(skipped|measured\.median) .' "$out/flat")
[ "$lines" = "$told" ] || fail "of $lines lines $told have a figure or say why not"
for plot in ratios scale; do
    [ ! -e "$out/$plot.svg" ] || tail -n 1 "$out/$plot.svg" | grep -qx '</svg>' || fail "$plot.svg is not whole"
done
[ -e "$out/ratios.svg" ] || fail "ratios.svg is missing"
"$here/run" --quick no-such-row 2>/dev/null && fail "a row that does not exist was measured"
exit 0
