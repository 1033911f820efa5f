# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Let system calls of the daemon fail; read in after lib.sh, after the mount.
#
#   $pid   the daemon's
command -v strace >/dev/null || skip "strace, which makes commands fail, is not installed"

strace_is_ready() {
    grep -q attached "$T/strace"
}

# failing CALL WHEN COMMAND...: run a command while a CALL of the daemon fails with ENOMEM: the WHEN-th, or as
# strace's `when` has it.
failing() {
    vdf_call=$1
    vdf_when=$2
    shift 2
    : >"$T/strace"
    strace -f -p "$pid" -e "trace=$vdf_call" -e "inject=$vdf_call:error=ENOMEM:when=$vdf_when" \
        2>>"$T/strace" &
    tracer=$!
    wait_for 10 strace_is_ready || fail "strace: $(cat "$T/strace")"
    "$@"
    vdf_status=$?
    kill -INT $tracer
    wait $tracer
    return $vdf_status
}

# injected: how many calls have failed under the last one.
injected() {
    grep -c '(INJECTED)' "$T/strace"
}
