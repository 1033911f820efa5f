#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --probe ends and says why where io_uring, descriptors or its output are refused, and refuses a wrong command
# line.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/probe-lib.sh"


# A kernel need not have seccomp.
if "$VDF_NORING" true 2>/dev/null; then
    probe noring "$VDF_NORING"
    has noring engine io_uring no EPERM
    has noring engine io_uring no "needs a seccomp profile"
    has noring engine libaio yes "chosen=yes"
fi

# Few descriptors: enough for some parts.
probe limit sh -c 'ulimit -n 7; exec "$@"' sh
grep -q '^  no  .*EMFILE.*ulimit -n' "$T/limit" || fail "a limit of open files is not told"

# Nowhere to write to is an error, after the fact.
"$VDF_BIN" --probe >/dev/full 2>"$T/err" && fail "--probe succeeds without its output"
grep -q 'No space left' "$T/err" || fail "a full standard output is not told: $(cat "$T/err")"

# rejects WORD ARGUMENT...
rejects() {
    word=$1
    shift
    "$VDF_BIN" "$@" >"$T/out" 2>"$T/err"
    same "the exit status of virtdevfs $*" "$?" 2
    grep -qF -e "$word" "$T/err" || fail "virtdevfs $* does not say $word but: $(cat "$T/err")"
    [ ! -s "$T/out" ] || fail "virtdevfs $* prints: $(cat "$T/out")"
}
rejects xml --probe=xml
rejects json --probe=
rejects MOUNTPOINT --probe "$M"
rejects --run --probe --run true
