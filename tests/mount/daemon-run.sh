#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --run: a tree for one command; virtdevfs exits with the status of the command.
. "$(dirname "$0")/lib.sh"
export TMPDIR="$T"

run() {
    daemon -o "engine=$VDF_ENGINE" --run "$@" 2>"$T/stderr"
}

got=$(run 'cat "$VIRTDEVFS/aplic/aplic0/harts"') || fail "--run ended with $?"
same "what the command saw" "$got" 2

# Nothing is left: no mount, no directory, no daemon.
place=$(run 'echo "$VIRTDEVFS"')
[ -n "$place" ] || fail "VIRTDEVFS is not set"
[ ! -e "$place" ] || fail "$place is left behind"
! grep -qF " $place " /proc/self/mounts || fail "$place is still mounted"

# A place of one's own is used and stays.
place=$(run 'echo "$VIRTDEVFS"' "$M") || fail "--run with a mount point ended with $?"
same "VIRTDEVFS" "$place" "$M"
[ -d "$M" ] || fail "the mount point was removed"
wait_for 10 eval '! mounted' || fail "the mount point is still mounted"

run true
same "the status of true" $? 0
run 'exit 7'
same "the status of exit 7" $? 7
run 'kill -TERM $$'
same "the status of a command that SIGTERM ended" $? 143
run /nonexistent/command
same "the status of a command that is missing" $? 127

# A command that leaves a reader behind is no reason to stay.
run 'cat "$VIRTDEVFS/aplic/aplic0/msi" >/dev/null 2>&1 & exit 3'
same "the status with a reader left behind" $? 3

# The command does not run when there is no tree for it.
daemon -o state="$T/missing" --run "touch $T/ran" 2>"$T/err" && fail "--run succeeded without a tree"
[ ! -e "$T/ran" ] || fail "the command ran without a tree"
