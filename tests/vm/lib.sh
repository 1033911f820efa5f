# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Linux guests that drive a console of a mounted tree through its `vhost_user` socket. The scripts of this folder
# read this file in, which reads in tests/mount/lib.sh.
#
# A guest gets its commands through hvc0, which is the file ports/0/data of $C:
#
#   guest_start COMMAND...   run a guest, which is ended with the script
#   pc_start, qemu_start     run a PC without and with a console
#   guest_login              wait for the login on hvc0 and get a shell
#   guest COMMAND            run a command in it: has to succeed, its output is in $out
#   guest_fails COMMAND      has to fail
#   guest_stop               poweroff from inside
#
#   VDF_REASONS  a folder with a file for each guest that cannot be had, which says why
#   VDF_VM_FULL  not empty: 1 GiB each way and a reader that stops for a minute; else 64 MiB and 5 s
VDF_LIMIT=${VDF_LIMIT:-300}
if [ -n "${VDF_VM_FULL:-}" ]; then
    VDF_LIMIT=$((VDF_LIMIT + 900))
fi
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/../mount/lib.sh"

C=console/con0
hvc=$T/hvc
kernel_log=$T/kernel
# Where a failed script leaves what its guest has said.
vm_kept=$(dirname "$VDF_BIN")/tests/logs/${vdf_script%.sh}
guest_pid=
reader_pid=
command_number=0
out=

trap 'vm_cleanup $?' EXIT

vm_cleanup() {
    vm_status=$1
    trap - EXIT
    trap '' HUP INT PIPE TERM
    if [ "$vm_status" != 0 ] && [ "$vm_status" != 77 ]; then
        for vm_log in "$hvc" "$kernel_log"; do
            [ -s "$vm_log" ] || continue
            say "the end of the guest's $(basename "$vm_log"):"
            tail -n 15 "$vm_log" | tr -d '\r' | sed 's/^/    /' >&2
        done
        # Where a guest can leave files, they are in $T/out.
        rm -rf "$vm_kept"
        mkdir -p "$vm_kept"
        cp -r "$hvc" "$kernel_log" "$T/out" "$vm_kept/" 2>/dev/null
        say "all that it has said is in $vm_kept"
    fi
    guest_kill
    guest_hangup
    # Those that a scenario has left running wait in the tree, which the unmount below would find busy.
    vm_jobs=$(jobs -p)
    # shellcheck disable=SC2086
    [ -z "$vm_jobs" ] || kill -KILL $vm_jobs 2>/dev/null
    exec 8<&- 9>&-
    vdf_cleanup "$vm_status"
}

# --- the machine --------------------------------------------------------------------------------------

# find_guest NAME: $found is the folder with its files. tests/run has tried already.
find_guest() {
    [ ! -s "${VDF_REASONS:-}/$1" ] || skip "$1 cannot be had: $(tail -n 1 "$VDF_REASONS/$1")"
    found=$("$vdf_root/tools/setup-guests" "$1" 2>"$T/setup-guests") || {
        cat "$T/setup-guests" >&2
        skip "$1 cannot be had: $(tail -n 1 "$T/setup-guests")"
    }
}

# get_guest uml|qemu: $G is the folder with its files, $initrd its root file system.
get_guest() {
    find_guest "$1"
    G=$found
    initrd=$T/initrd
    "$vdf_root/tools/guest/make-initrd" "$G" >"$initrd" || fail "the initrd cannot be made"
}

# guest_start COMMAND...: in a session of its own, as a kernel in User-Mode Linux has more processes
# than its first, some of which do not end with it.
guest_start() {
    [ -z "$guest_pid" ] || fail "a guest is running"
    setsid "$@" </dev/null >"$kernel_log" 2>&1 &
    guest_pid=$!
}

# pc_start MIB OPTION...: a PC. All its memory is shared, as the protocols want it. $pc_machine is added to the
# options of its machine, $pc_cmdline to those of its kernel.
pc_machine=
pc_cmdline=
pc_start() {
    vm_mib=$1
    shift
    guest_start "$G/qemu" -accel tcg -M "q35,memory-backend=memory$pc_machine" -m "$vm_mib" -nodefaults \
        -no-user-config -display none -no-reboot -serial stdio \
        -object "memory-backend-memfd,id=memory,size=${vm_mib}M,share=on" \
        -kernel "$G/linux" -initrd "$initrd" -append "console=ttyS0 quiet panic=-1 $pc_cmdline" "$@"
}

# qemu_start MIB OPTION...: a PC whose console is ours through vhost-user. 64 queues are a console and 31 ports;
# its configuration space has 12 bytes (virtio 1.2, section 5.3.4).
qemu_start() {
    vm_mib=$1
    shift
    pc_start "$vm_mib" -chardev "socket,id=console,path=$T/con0.sock" \
        -device vhost-user-test-device-pci,chardev=console,virtio-id=3,num_vqs=64,vq_size=256,config_size=12 "$@"
}

# vfu_device SOCKET [ADDR]: print the value of -device for a function that is served on SOCKET, in slot ADDR of
# the guest's bus.
vfu_device() {
    printf '{"driver":"vfio-user-pci"%s,"socket":{"path":"%s","type":"unix"}}' "${2:+,\"addr\":\"$2\"}" "$1"
}

# guest_program FILE: it becomes /bin/NAME of guests that start from now on.
guest_program() {
    [ -x "$1" ] || fail "$1 is missing; build it"
    mkdir -p "$T/programs/bin"
    cp "$1" "$T/programs/bin/"
    # The kernel unpacks both archives, one over the other.
    (cd "$T/programs" && find . | sort | "$G/busybox" cpio -o -H newc -R 0:0 2>/dev/null | gzip -1) >>"$initrd"
}

guest_gone() {
    ! kill -0 "$guest_pid" 2>/dev/null
}

# guest_kill: as when the machine loses its power.
guest_kill() {
    [ -n "$guest_pid" ] || return 0
    kill -s KILL -- "-$guest_pid" 2>/dev/null
    wait "$guest_pid" 2>/dev/null
    guest_pid=
}

guest_stop() {
    echo poweroff -f >&7
    wait_for 30 guest_gone || fail "the guest did not power off"
    guest_kill
    guest_hangup
}

# --- its console --------------------------------------------------------------------------------------

# hvc_has PATTERN: in what hvc0 has printed since $hvc_from.
hvc_has() {
    tail -c "+$((hvc_from + 1))" "$hvc" | tr -d '\r' | grep -q -- "$1"
}

# hvc_settled PATTERN: it is there, or will never be.
hvc_settled() {
    hvc_has "$1" || guest_gone
}

hvc_expect() {
    wait_for "$1" hvc_settled "$2" || fail "'$2' was not seen on hvc0 in $(($1 * VDF_SLOW)) s"
    hvc_has "$2" || fail "the guest has ended before '$2' was seen on hvc0"
}

# guest_dial: a person's terminal: all that hvc0 prints goes to $hvc, file descriptor 7 types.
guest_dial() {
    : >"$hvc"
    hvc_from=0
    cat "$M/$C/ports/0/data" >"$hvc" &
    reader_pid=$!
    exec 7>"$M/$C/ports/0/data"
}

guest_hangup() {
    exec 7>&-
    [ -n "$reader_pid" ] || return 0
    kill "$reader_pid" 2>/dev/null
    wait "$reader_pid" 2>/dev/null
    reader_pid=
}

guest_login() {
    hvc_expect 120 'login: $'
    hvc_from=$(wc -c <"$hvc")
    echo root >&7
    hvc_expect 30 '# '
    # A shell that reads its commands from a pipe shows no prompt and does not echo. This cat(1) would
    # sendfile(2), which keeps a line from a terminal until the next one has come.
    # Typing waits until the terminal has been set, which discards what was typed before.
    echo 'stty -echo; echo quiet-$((6 * 7)); dd bs=4k 2>/dev/null | sh' >&7
    hvc_expect 30 '^quiet-42$'
    guest true
}

# Run $1 in the guest; its output is in $out and its status in $rc.
guest_run() {
    command_number=$((command_number + 1))
    hvc_from=$(wc -c <"$hvc")
    # The marks around the output are not in the command as it is typed. The end of the line before may
    # still come.
    printf "printf '<%%d:\\\\n' %d; ( %s\n) </dev/null; printf '\\\\n<%%d:%%d>\\\\n' %d \$?\n" \
        "$command_number" "$1" "$command_number" >&7
    hvc_expect "${guest_seconds:-60}" "^<$command_number:[0-9]*>\$"
    out=$(tail -c "+$((hvc_from + 1))" "$hvc" | tr -d '\r' |
        sed -n "0,/^<$command_number:\$/d; /^<$command_number:[0-9]*>\$/q; p")
    rc=$(tail -c "+$((hvc_from + 1))" "$hvc" | tr -d '\r' |
        sed -n "s/^<$command_number:\([0-9]*\)>\$/\1/p")
}

guest() {
    guest_run "$1"
    [ "$rc" = 0 ] || fail "in the guest '$1' exits $rc: $out"
}

guest_fails() {
    guest_run "$1"
    [ "$rc" != 0 ] || fail "in the guest '$1' succeeds: $out"
}

# guest_wait COMMAND: until it succeeds there.
guest_wait() {
    guest "for t in \$(seq 500); do if $1; then exit 0; fi; usleep 20000; done; exit 1"
}
