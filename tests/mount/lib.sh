# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers of the mount scripts, which each of them reads in. A script exits 0 when all checks hold, 77 when it is
# skipped with a reason, and with another status at the first check that fails.
#
# By hand:  tests/mount/daemon-options.sh
#           VDF_BIN=build/asan/virtdevfs VDF_ENGINE=libaio tests/mount/aplic-msi.sh
#
#   VDF_BIN     the daemon; build/debug/virtdevfs by default
#   VDF_IO      vdfio (see vdfio.c), which the scripts call $IO; beside the daemon in tests/
#   VDF_ENGINE  auto, io_uring or libaio, given to the daemon
#   VDF_OPTIONS more mount options for it, such as io_uring
#   VDF_WRAP    a program that starts the daemon (noring)
#   VDF_SLOW    how many times slower than usual this build is
#   VDF_LIMIT   seconds that a script may take: 80; longer scripts set it before they read this
#   VDF_SEED    the seed of random parts; they print the one that they have used
#   VDF_KEEP    not empty: leave the scratch directory of a failed script behind
#
# For the script:  $M  the mount point    $T  a scratch directory    $IO  vdfio
# Paths given to the helpers are relative to $M.
set -u

vdf_root=${vdf_root:-$(cd "$(dirname "$0")/../.." && pwd)}
vdf_script=$(basename "$0")
VDF_BIN=$(realpath -m "${VDF_BIN:-$vdf_root/build/debug/virtdevfs}")
IO=$(realpath -m "${VDF_IO:-$(dirname "$VDF_BIN")/tests/vdfio}")
VDF_ENGINE=${VDF_ENGINE:-auto}
VDF_NORING=${VDF_NORING:-$(dirname "$VDF_BIN")/tests/noring}
VDF_WRAP=${VDF_WRAP:-}
VDF_SLOW=${VDF_SLOW:-1}

say() {
    echo "$vdf_script: $*" >&2
}

# A hang ends in a failure that cleans up, not in a mount that stays: signal all that was started here.
if [ -z "${vdf_limited:-}" ]; then
    vdf_limited=1
    export vdf_limited
    exec timeout -k 20 "$((${VDF_LIMIT:-80} * VDF_SLOW))" "$0" "$@"
fi
unset vdf_limited

# fail TEXT: end the script as failed.
fail() {
    say "failed: $*"
    exit 1
}

# skip REASON: end the script as skipped.
skip() {
    say "skipped: $*"
    exit 77
}

# skip_part REASON: go on without a part of the script; tests/run counts these lines and shows them.
skip_part() {
    say "skipped part: $*"
}

# random_seed: $seed is VDF_SEED, or a number that no earlier run had; a line of the output names it.
random_seed() {
    seed=${VDF_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
    say "VDF_SEED=$seed"
}

# sanitized: the daemon is built with AddressSanitizer or ThreadSanitizer.
sanitized() {
    grep -qaE '__(asan|tsan)_init' "$VDF_BIN"
}

root_only() {
    [ "$(id -u)" = 0 ] || skip "needs root"
}

if [ -z "${vdf_mounts_nothing:-}" ]; then
    [ -x "$VDF_BIN" ] || fail "$VDF_BIN is missing; build it or set VDF_BIN"
    [ -x "$IO" ] || fail "$IO is missing; build it or set VDF_IO"
    [ -e /dev/fuse ] || skip "this machine has no /dev/fuse"
fi

T=$(mktemp -d "${TMPDIR:-/tmp}/vdf.XXXXXX") || exit 1
M=$T/mnt
mkdir "$M"
export M
ASAN_OPTIONS=${ASAN_OPTIONS:-}:log_path=$T/sanitizer:abort_on_error=0:detect_stack_use_after_return=1
UBSAN_OPTIONS=${UBSAN_OPTIONS:-}:log_path=$T/sanitizer:print_stacktrace=1
TSAN_OPTIONS=${TSAN_OPTIONS:-}:log_path=$T/sanitizer:halt_on_error=0
export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS

mounted() {
    # The mount table also knows a mount whose daemon has died, on which stat(2) fails.
    grep -qF " $M " /proc/self/mounts
}

# daemon_pids: the processes that serve $M.
daemon_pids() {
    # One process looks at all, as there can be many and an emulated machine takes its time to start one.
    grep -lzxF -- "$M" /proc/[0-9]*/cmdline 2>/dev/null | while read -r vdf_proc; do
        vdf_proc=${vdf_proc%/cmdline}
        [ "$(readlink "$vdf_proc/exe" 2>/dev/null)" != "$VDF_BIN" ] || echo "${vdf_proc#/proc/}"
    done
    return 0
}

daemon_gone() {
    [ -z "$(daemon_pids)" ]
}

# wait_for SECONDS COMMAND...: until the command succeeds; its status when it never did.
wait_for() {
    vdf_until=$(($(date +%s) + $1 * VDF_SLOW))
    shift
    until "$@"; do
        [ "$(date +%s)" -le "$vdf_until" ] || return 1
        sleep 0.02
    done
}

# asleep PID PATH: the process has a file open whose name ends in PATH, and sleeps in the kernel.
asleep() {
    [ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)" = S ] || return 1
    for vdf_open in "/proc/$1/fd"/*; do
        case $(readlink "$vdf_open") in *"$2") return 0 ;; esac
    done
    return 1
}

# in_request PID: the process waits for an answer of the daemon, or sleeps anywhere if the kernel does not say where.
in_request() {
    case $(cat "/proc/$1/wchan" 2>/dev/null) in
    *request_wait*) return 0 ;;
    0 | '') [ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)" = S ] ;;
    *) return 1 ;;
    esac
}

# process_ended PID: the process has ended, and may not have been waited for yet.
process_ended() {
    ! kill -0 "$1" 2>/dev/null || [ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)" = Z ]
}

# next_time: wait until files that change from now on get a later mtime than those that have changed before.
next_time() {
    : >"$T/time"
    vdf_time=$(stat -c %.Y "$T/time")
    until [ "$(stat -c %.Y "$T/time")" != "$vdf_time" ]; do
        : >"$T/time"
    done
}

vdf_unmount() {
    if [ "$(id -u)" = 0 ]; then
        umount "$@" "$M"
    else
        [ "${1:-}" = -l ] && set -- -z
        fusermount3 -u "$@" "$M"
    fi
}

vdf_cleanup() {
    vdf_status=$1
    trap - EXIT
    trap '' HUP INT PIPE TERM
    # A stopped daemon answers nothing, the unmount neither.
    daemon_pids | xargs -r kill -CONT
    if [ "$vdf_status" != 0 ] && [ "$vdf_status" != 77 ] && [ -s "$M/errors" ]; then
        say "the last lines of errors:"
        tail -n 5 "$M/errors" >&2
    fi
    if mounted; then
        vdf_unmount 2>/dev/null || vdf_unmount -l
    fi
    if ! wait_for 10 daemon_gone; then
        say "the daemon did not end after the unmount"
        daemon_pids | xargs -r kill -KILL
        vdf_status=1
    fi
    for vdf_log in "$T"/sanitizer.*; do
        [ -s "$vdf_log" ] || continue
        say "the daemon's sanitizer reported:"
        cat "$vdf_log" >&2
        vdf_status=1
    done
    [ "$vdf_status" = 0 ] || [ "$vdf_status" = 77 ] || [ ! -s "$T/stderr" ] || {
        say "the daemon's standard error:"
        cat "$T/stderr" >&2
    }
    if [ -n "${VDF_KEEP:-}" ] && [ "$vdf_status" != 0 ]; then
        say "kept $T"
    elif ! mounted; then
        rm -rf --one-file-system "$T"
    fi
    exit "$vdf_status"
}
trap 'vdf_cleanup $?' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
# The reader of the output was killed. The processes that were started here must not stay.
trap 'exit 141' PIPE
trap 'say "took too long"; exit 143' TERM

# daemon ARGUMENT...: run virtdevfs, under the wrapper if there is one.
daemon() {
    $VDF_WRAP "$VDF_BIN" ${VDF_OPTIONS:+-o "$VDF_OPTIONS"} "$@"
}

# mount_fs [OPTION...]: mount a tree on $M with the engine of this run; the daemon goes to the
# background. The options are kept for remount_fs.
mount_fs() {
    if [ "$VDF_ENGINE" = io_uring ] && [ "$($VDF_WRAP "$IO" has io_uring)" != ok ]; then
        skip "this kernel refuses io_uring: $("$IO" has io_uring)"
    fi
    vdf_options=
    for vdf_option; do
        # Quoted, so that remount_fs gives the same words.
        vdf_options="$vdf_options '$(printf %s "$vdf_option" | sed "s/'/'\\\\''/g")'"
    done
    daemon -o "engine=$VDF_ENGINE" "$@" "$M" 2>"$T/stderr" || fail "the mount failed"
    [ -s "$M/version" ] || fail "the mount is not usable when the command returns"
}

# umount_fs: unmount and wait until the daemon has ended.
umount_fs() {
    vdf_unmount || fail "the unmount failed"
    wait_for 10 daemon_gone || fail "the daemon did not end after the unmount"
}

# remount_fs: a fresh tree with the options of before.
remount_fs() {
    umount_fs
    eval "mount_fs $vdf_options"
}

# end_all PID...: end background processes of the script, and wait for their end.
end_all() {
    for vdf_pid; do
        kill "$vdf_pid" 2>/dev/null || :
    done
    for vdf_pid; do
        wait "$vdf_pid" 2>/dev/null || :
    done
}

# same WHAT GOT WANTED
same() {
    [ "$2" = "$3" ] && return
    say "failed: $1"
    printf '  wanted: %s\n     got: %s\n' "$3" "$2" >&2
    exit 1
}

# eq PATH TEXT: the file's content is TEXT and a newline, or nothing at all when TEXT is empty.
eq() {
    vdf_got=$(cat "$M/$1" && echo .) || fail "$1 cannot be read"
    if [ -z "$2" ]; then
        same "cat $1" "${vdf_got%.}" ""
    else
        same "cat $1" "$vdf_got" "$2
."
    fi
}

# put PATH TEXT: write TEXT and a newline, as echo does; it has to be taken.
put() {
    printf '%s\n' "$2" >"$M/$1" || fail "echo '$2' > $1 was refused: $(tail -n 1 "$M/errors")"
}

# refuse ERRNO PATH TEXT: the write fails with ERRNO, changes nothing and adds a line to errors.
refuse() {
    vdf_lines=$(wc -l <"$M/errors")
    vdf_before=
    [ -r "$M/$2" ] && [ "$(stat -c %s "$M/$2")" -gt 0 ] && vdf_before=$(cat "$M/$2" 2>/dev/null)
    vdf_got=$("$IO" write "$2" "$3")
    same "the answer to writing '$3' to $2" "$vdf_got" "$1"
    if [ -n "$vdf_before" ]; then
        same "$2 after a refused write" "$(cat "$M/$2")" "$vdf_before"
    fi
    # The oldest of 256 lines makes room.
    vdf_now=$(wc -l <"$M/errors")
    [ "$vdf_now" -gt "$vdf_lines" ] || [ "$vdf_now" = 256 ] ||
        fail "errors gained no line when '$3' was refused by $2"
    vdf_got=$(tail -n 1 "$M/errors")
    case $vdf_got in
    *"$2"*"$1"*) ;;
    *) same "the last line of errors" "$vdf_got" "one with $2 and $1" ;;
    esac
}

# absent PATH: there is no such file.
absent() {
    [ ! -e "$M/$1" ] || fail "$1 exists"
}
