# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers of the scripts with vfio-user clients, read in after lib.sh.
#
#   $S, $S2     sockets of two functions
#   client      start a client (see vfuio.c), number 1; its process is $client_pid
#   client 2    start a second one, which has its commands from `use 2` on
#   use N       vf and vfe talk to client N
#   vf WORDS    give it a command and print its answer
#   vfe ANSWER WORDS...    the command has to be answered so; `*` and `?` as in case
#   attach [SOCKET]        connect to a function's socket and agree on a version
#   served PATH            a socket is there
#   connected NAME, disconnected NAME    pci/NAME has a client, or none
#   reported PATH ERRNO TEXT    the last line of errors is of PATH; ERRNO may be E*

VFUIO=$(dirname "$IO")/vfuio
[ -x "$VFUIO" ] || fail "$VFUIO is missing; build it"
S=$T/socket
# shellcheck disable=SC2034 # scripts use it
S2=$T/socket2

# The numbers that <linux/vfio.h> gives regions and interrupts.
# shellcheck disable=SC2034
CONFIG=7 INTX=0 MSIX=2

# The offers of a usual VMM.
vfu_version='{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576}}'

use() {
    case $1 in
    1) vfu_to=8 vfu_from=9 ;;
    2) vfu_to=6 vfu_from=7 ;;
    esac
}

client() {
    use "${1:-1}"
    rm -f "$T/commands$vfu_to" "$T/answers$vfu_to"
    mkfifo "$T/commands$vfu_to" "$T/answers$vfu_to"
    "$VFUIO" <"$T/commands$vfu_to" >"$T/answers$vfu_to" 3<&- 6<&- 7<&- 8<&- 9<&- &
    # shellcheck disable=SC2034
    client_pid=$!
    eval "exec $vfu_to>'$T/commands$vfu_to' $vfu_from<'$T/answers$vfu_to'"
}

vf() {
    echo "$*" >&"$vfu_to"
    read -r vf_answer <&"$vfu_from" || fail "the client has ended"
    echo "$vf_answer"
}

vfe() {
    vfe_wanted=$1
    shift
    vfe_got=$(vf "$@")
    # shellcheck disable=SC2254
    case $vfe_got in
    $vfe_wanted) ;;
    *) same "the answer to '$*'" "$vfe_got" "$vfe_wanted" ;;
    esac
}

attach() {
    vfe ok connect "${1:-$S}"
    vfe '0 * {*}' version "$vfu_version"
}

served() {
    [ -S "$1" ] && [ "$(stat -c %a "$1")" = 600 ]
}

connected() {
    [ -n "$(cat "$M/pci/$1/client")" ]
}

disconnected() {
    [ -z "$(cat "$M/pci/$1/client")" ]
}

reported() {
    # shellcheck disable=SC2027,SC2254
    case $(tail -n 1 "$M/errors") in
    "$1: "$2": "*"$3"*) ;;
    *) same "the last line of errors" "$(tail -n 1 "$M/errors")" "$1: $2: ...$3..." ;;
    esac
}
