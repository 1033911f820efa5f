# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Let each system call of an operation fail in turn; read in after lib.sh.
#
#   VDF_FAILNTH   failnth (see failnth.c); beside the daemon in tests/
FAILNTH=$(realpath -m "${VDF_FAILNTH:-$(dirname "$VDF_BIN")/tests/failnth}")
[ -x "$FAILNTH" ] || fail "$FAILNTH is missing; build it or set VDF_FAILNTH"
"$FAILNTH" start "$T/order" true 2>"$T/refused" || skip "a filter of system calls: $(cat "$T/refused")"
VDF_WRAP="${VDF_WRAP:+$VDF_WRAP }$FAILNTH start $T/order"

# each LEAST OPERATION [-- OPERATION...]: sweep the operation with failnth; LEAST calls have to fail at least.
each() {
    vdf_least=$1
    shift
    # The tool ends with what it has; leaks of the daemon are looked for at the daemon's end.
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 "$FAILNTH" sweep "$T/order" "$(daemon_pids)" "$M" ENOMEM,EINTR "$@" >"$T/swept" 2>"$T/stopped" ||
        fail "$(cat "$T/stopped")"
    vdf_got=$(grep -c ENOMEM "$T/swept")
    [ "$vdf_got" -ge "$vdf_least" ] || fail "$*: only $vdf_got of at least $vdf_least calls could fail"
    [ -z "${VDF_SHOW:-}" ] || cat "$T/swept"
}
