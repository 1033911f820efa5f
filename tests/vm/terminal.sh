#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tools/uml connects a terminal to a Linux guest, in a mounted tree and in a tree of its own.
VDF_LIMIT=180
. "$(dirname "$0")/lib.sh"

command -v script >/dev/null || skip "script(1) is missing"
get_guest uml
mkfifo "$T/keys"

# terminal COMMAND: run it in a terminal of 90 columns. What is typed comes from file descriptor 7, what it
# shows goes to $hvc, its exit status to $T/status.
terminal() {
    : >"$hvc"
    hvc_from=0
    setsid script -qfec "stty cols 90 rows 30; $1" "$T/typescript" <"$T/keys" >"$hvc" 2>"$kernel_log" &
    guest_pid=$!
    exec 7>"$T/keys"
}

# poweroff: the command ends with the guest.
poweroff() {
    echo poweroff -f >&7
    wait_for 30 guest_gone || fail "tools/uml did not end with the guest"
    wait "$guest_pid" || fail "tools/uml exits $?"
    guest_pid=
    exec 7>&-
}

mount_fs
terminal "$vdf_root/tools/uml $M"
guest_login
# Which number is which depends on the kernel; scenario_resize in scenario.sh looks into that.
guest 'stty size </dev/hvc0 | tr " " "\n" | sort -n; uname -s'
same "size and name" "$out" "30
90
Linux"
eq $C/driver vhost-user
poweroff
eq $C/vhost_user ""
eq $C/driver soft

# A second one on the same console is refused, and does no harm to the first.
terminal "$vdf_root/tools/uml $M"
guest_login
! "$vdf_root/tools/uml" "$M" </dev/null 2>"$T/second" || fail "two guests on one console"
grep -q 'already served' "$T/second" || fail "the refusal says: $(cat "$T/second")"
guest true
poweroff

# Nothing need be mounted.
terminal "$VDF_BIN -o engine=$VDF_ENGINE --run $vdf_root/tools/uml"
guest_login
guest true
poweroff
