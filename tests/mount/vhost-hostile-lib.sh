# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A front end that breaks the rules of vhost-user: read in after vhost-lib.sh, with a mounted tree and a socket
# then. no_descriptor_is_left is called at the end.

mount_fs
c=console/con0
pid=$(daemon_pids)

descriptors() {
    find "/proc/$pid/fd" -mindepth 1 | wc -l
}

descriptors_are() {
    [ "$(descriptors)" = "$1" ]
}

# reported ERRNO TEXT: the last line of errors.
reported() {
    case $(tail -n 1 "$M/errors") in
    "$c: $1: vhost-user: "*"$2"*) ;;
    *) same "the last line of errors" "$(tail -n 1 "$M/errors")" "$c: $1: vhost-user: ...$2..." ;;
    esac
}

# bad ERRNO TEXT WORDS...: on a new connection the command is refused, and the connection goes on. GIVEN,
# before it, are commands that are in order. closed ERRNO TEXT WORDS...: the connection is closed.
given=
prepare() {
    vhe ok connect
    for bad_given in $given; do
        case $bad_given in
        negotiate) vhe "0x* 0x* 64" negotiate ;;
        memory) vhe ok memory 16 ;;
        rings) vhe ok rings 0 7 ;;
        esac
    done
}

bad() {
    bad_errno=$1 bad_text=$2
    shift 2
    prepare
    vh "$@" >/dev/null
    vhe "????????????????" raw 15 1 -
    reported "$bad_errno" "$bad_text"
    vhe ok close
}

closed() {
    bad_errno=$1 bad_text=$2
    shift 2
    prepare
    vhe closed "$@"
    reported "$bad_errno" "$bad_text"
    vhe ok close
}

put $c/vhost_user "$S"
front
before=$(descriptors)

no_descriptor_is_left() {
    wait_for 10 descriptors_are "$before" ||
        fail "$(descriptors) descriptors are open in the daemon, $before were before"
}
