#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# transport=: the daemon uses the requested transport; `auto` is io_uring, or /dev/fuse where io_uring is refused.
# Any number of waiting readers delays no other request, and each of them can be interrupted.
. "$(dirname "$0")/lib.sh"

readers=150

all_wait() {
    # Each of them has its file open.
    [ "$(find /proc/[0-9]*/fd -lname "$M/aplic/aplic0/msi" 2>/dev/null | wc -l)" -ge $readers ]
}

# crowd CPU: readers of an empty stream on that processor, then the others on all of them.
crowd() {
    pids=
    for _ in $(seq $readers); do
        taskset -c "$1" cat "$M/aplic/aplic0/msi" >/dev/null 2>&1 &
        pids="$pids $!"
    done
    wait_for 20 all_wait || fail "the readers do not wait"
    for cpu in $(seq 0 $(($(nproc) - 1))); do
        same "a value, read on processor $cpu" \
            "$(timeout 10 taskset -c "$cpu" cat "$M/aplic/aplic0/harts")" 2
        timeout 10 taskset -c "$cpu" sh -c "echo 0x100 >'$M/aplic/aplic0/domaincfg'" ||
            fail "a write on processor $cpu"
    done
    first=${pids# }
    first=${first%% *}
    kill "$first"
    wait "$first" 2>/dev/null && fail "a reader that was killed has ended well"
    # shellcheck disable=SC2086
    end_all $pids
}

mount_fs
transport=$(cat "$M/engine/transport")
say "auto is $transport"
crowd 0
# A line wakes all readers.
put aplic/aplic0/sourcecfg/5 4
put aplic/aplic0/target/5 5
put aplic/aplic0/setienum 5
put aplic/aplic0/wire/5 1
same "a line of the stream" "$(timeout 10 head -n 1 "$M/aplic/aplic0/msi")" "hart=0 guest=0 eiid=5 delivered"
umount_fs

mount_fs -o transport=dev
eq engine/transport dev
crowd 0
umount_fs

if [ "$transport" = io_uring ]; then
    mount_fs -o transport=io_uring
    eq engine/transport io_uring
    umount_fs
else
    skip_part "FUSE over io_uring: $("$VDF_BIN" --probe | grep -A99 '^fuse' | grep -m 1 '  io_uring ')"
fi

# Only a demand for it fails where it cannot be had, with a reason.
VDF_WRAP=$VDF_NORING
export VDF_WRAP
VDF_ENGINE=auto
mount_fs
eq engine/transport dev
umount_fs
daemon -o transport=io_uring "$M" 2>"$T/err" && fail "transport=io_uring succeeded without io_uring"
grep -q rings "$T/err" || grep -q "io_uring" "$T/err" || fail "the refusal gives no reason: $(cat "$T/err")"
! mounted || fail "a refused transport left a mount"
