# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A client that breaks the rules of vfio-user: read in after vfu-lib.sh and vfu-virtio-lib.sh. pci/nic is a console,
# served on $S. no_descriptor_is_left is called at the end.

mount_fs
virtio_function
pid=$(daemon_pids)

descriptors() {
    find "/proc/$pid/fd" -mindepth 1 | wc -l
}

descriptors_are() {
    [ "$(descriptors)" = "$1" ]
}

# bad ERRNO TEXT WORDS...: the command is refused and reported, and the connection goes on.
bad() {
    bad_errno=$1 bad_text=$2
    shift 2
    vfe "$bad_errno" "$@"
    reported pci/nic "$bad_errno" "$bad_text"
    vfe "0x3 9 5" info
    # Lines of a connection are limited.
    bad_count=$((bad_count + 1))
    [ $((bad_count % 8)) != 0 ] || again
}
bad_count=0

again() {
    vfe ok close
    attach
}

# closed TEXT WORDS...: the message ends the connection; the next one is served.
closed() {
    closed_text=$1
    shift
    vfe ok "$@"
    vfe closed reply
    wait_for 10 grep -q "$closed_text" "$M/errors" || fail "no line with '$closed_text' in errors: $*"
    again
}

client
attach
vfe ok close
wait_for 10 disconnected nic || fail "the client is still connected"
before=$(descriptors)

no_descriptor_is_left() {
    vfe ok close
    wait_for 10 descriptors_are "$before" ||
        fail "$(descriptors) descriptors are open in the daemon, $before were before"
}
