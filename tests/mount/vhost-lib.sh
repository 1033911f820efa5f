# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers of the vhost-user scripts, read in after lib.sh.
#
#   $S          the socket that con0 is served on
#   front       start a front end (see vhostio.c) without connecting it; its process is $front_pid
#   vh WORDS    give it a command and print its answer
#   vhe ANSWER WORDS...    the command has to be answered so; `*` and `?` as in case
#   up          serve con0, start and connect a front end, up to running rings and DEVICE_READY
#   up_with_open_port    the same, and port 0 is open at both ends, the host's end as descriptor 3
#   reattach    connect again with rings that go on, as after a broken connection
#   served PATH  a socket is there

VHOSTIO=$(dirname "$IO")/vhostio
[ -x "$VHOSTIO" ] || fail "$VHOSTIO is missing; build it"
S=$T/socket

front() {
    rm -f "$T/commands" "$T/answers"
    mkfifo "$T/commands" "$T/answers"
    "$VHOSTIO" "$S" <"$T/commands" >"$T/answers" 3<&- &
    # shellcheck disable=SC2034 # scripts use it
    front_pid=$!
    exec 8>"$T/commands" 9<"$T/answers"
}

vh() {
    echo "$*" >&8
    read -r vh_answer <&9 || fail "the front end has ended"
    echo "$vh_answer"
}

vhe() {
    vhe_wanted=$1
    shift
    vhe_got=$(vh "$@")
    # shellcheck disable=SC2254
    case $vhe_got in
    $vhe_wanted) ;;
    *) same "the answer to '$*'" "$vhe_got" "$vhe_wanted" ;;
    esac
}

# Connect, negotiate, pass memory and start the first eight rings.
attach() {
    vhe ok connect
    vhe "0x* 0x* 64" negotiate
    vhe ok memory 16
    vhe ok rings 0 7
}

up() {
    put console/con0/vhost_user "$S"
    front
    attach
    vhe ok tell DEVICE_READY 0xffffffff 1
}

reattach() {
    vhe ok connect
    vhe "0x* 0x* 64" negotiate
    vhe ok memory 16 same
    vhe ok resume 0 7
}

up_with_open_port() {
    put console/con0/ports/0/overflow hold
    exec 3<>"$M/console/con0/ports/0/data"
    up
    vhe "PORT_ADD 0 1" hear
    vhe ok tell PORT_READY 0 1
    vhe "CONSOLE_PORT 0 1" hear
    vhe ok tell PORT_OPEN 0 1
    vhe "PORT_OPEN 0 1" hear
}

served() {
    [ -S "$1" ] && [ "$(stat -c %a "$1")" = 600 ]
}
