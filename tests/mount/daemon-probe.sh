#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --probe tells what this machine has, as people and scripts can read it, leaves nothing behind, and
# comes to its end wherever something is missing.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/probe-lib.sh"

# driver NAME: a misc device's driver is there.
driver() {
    grep -qE "^ *[0-9]+ $1\$" /proc/misc
}

# can PATH DRIVER: yes or no: this user can open it, and its driver is there.
can() {
    if [ -c "$1" ] && [ -r "$1" ] && [ -w "$1" ] && driver "$2"; then
        echo yes
    else
        echo no
    fi
}

# lasting: what must be the same afterwards, whatever else goes on on this machine.
lasting() {
    grep -E '^(fuse|kvm|iommufd|vfio)' /proc/modules 2>/dev/null | cut -d' ' -f1
    grep virtdevfs-probe /proc/self/mounts
}

# --- as it is -----------------------------------------------------------------------------------------

before=$(lasting)
probe plain
same "modules and mounts afterwards" "$(lasting)" "$before"
has plain fuse device "$(can /dev/fuse fuse)"
has plain kvm device "$(can /dev/kvm kvm)"
has plain iommufd device "$(can /dev/iommu iommu)"
for engine in io_uring libaio; do
    answer=$("$IO" has "$([ $engine = libaio ] && echo aio || echo $engine)")
    if [ "$answer" = ok ]; then
        has plain engine $engine yes
    else
        has plain engine $engine no "$answer"
    fi
done
same "engines that are chosen" "$(grep -c 'chosen=yes' "$T/plain")" 1
version=$("$VDF_BIN" --version | sed -n 's/^libfuse //p')
has plain fuse libfuse yes "version=$version"
for device in /sys/bus/pci/devices/*; do
    case $(cat "$device/class" 2>/dev/null) in
    '' | 0x06*) continue ;;
    esac
    id=$(cut -c3- "$device/vendor"):$(cut -c3- "$device/device")
    line plain vfio "${device##*/}" | grep -q "id=$id " || fail "vfio: ${device##*/} is not $id"
done

# What it says of FUSE holds for a mount.
mount_fs
mapped=$("$IO" mmap-load gait/gait0/table 0 4)
if [ "$mapped" = 00000000 ]; then
    has plain fuse passthrough yes
else
    has plain fuse passthrough no
fi
same "the daemon's engine" "$(line plain engine io_uring | grep -o 'chosen=[a-z]*')" \
    "chosen=$([ "$("$IO" has io_uring)" = ok ] && echo yes || echo no)"
if [ "$(can /dev/kvm kvm)" = yes ] && mkdir "$M/vm/probe" 2>/dev/null; then
    has plain kvm vm yes
    rmdir "$M/vm/probe"
else
    has plain kvm vm no
fi
umount_fs

# --- where things are missing -------------------------------------------------------------------------

# A kernel need not have seccomp.
if "$VDF_NORING" true 2>/dev/null; then
    probe noring "$VDF_NORING"
    has noring engine io_uring no EPERM
    has noring engine io_uring no "needs a seccomp profile"
    has noring engine libaio yes "chosen=yes"
fi

# Few descriptors: enough for some parts.
probe limit sh -c 'ulimit -n 7; exec "$@"' sh
grep -q '^  no  .*EMFILE.*ulimit -n' "$T/limit" || fail "a limit of open files is not told"

# Nowhere to write to is an error, after the fact.
"$VDF_BIN" --probe >/dev/full 2>"$T/err" && fail "--probe succeeds without its output"
grep -q 'No space left' "$T/err" || fail "a full standard output is not told: $(cat "$T/err")"

# rejects WORD ARGUMENT...
rejects() {
    word=$1
    shift
    "$VDF_BIN" "$@" >"$T/out" 2>"$T/err"
    same "the exit status of virtdevfs $*" "$?" 2
    grep -qF -e "$word" "$T/err" || fail "virtdevfs $* does not say $word but: $(cat "$T/err")"
    [ ! -s "$T/out" ] || fail "virtdevfs $* prints: $(cat "$T/out")"
}
rejects xml --probe=xml
rejects json --probe=
rejects MOUNTPOINT --probe "$M"
rejects --run --probe --run true

[ "$(id -u)" = 0 ] || exit 0
unshare -m true 2>/dev/null || exit 0

# hide SCRIPT: a command line that runs another after SCRIPT in a mount namespace of its own.
hide() {
    printf '%s\n' '#!/bin/sh' "if [ -z \"\${hidden:-}\" ]; then hidden=1 exec unshare -m \"\$0\" \"\$@\"; fi" \
        "{ $1; } || exit 125" "exec \"\$@\"" >"$T/hide"
    chmod 755 "$T/hide"
}

# An empty /dev: no FUSE, no KVM, no iommufd.
hide 'mount -t tmpfs tmpfs /dev && mknod /dev/null c 1 3 && mknod /dev/full c 1 7'
probe nodev "$T/hide"
has nodev fuse device no "/dev/fuse answers ENOENT"
has nodev fuse passthrough no
has nodev kvm device no "/dev/kvm answers ENOENT"
has nodev kvm vm no
has nodev aia irqchip no "/dev/kvm answers ENOENT"
has nodev iommufd device no "/dev/iommu answers ENOENT"

# Files that look like the devices are not opened: a FIFO would wait for ever.
hide 'mount -t tmpfs tmpfs /dev && mknod /dev/null c 1 3 && mkfifo /dev/fuse && mknod /dev/kvm c 1 3'
probe wrong "$T/hide"
has wrong fuse device no
has wrong kvm device no
driver kvm && has wrong kvm device no "something else"

# An ordinary user is told what she may do, and what she may not.
command -v setpriv >/dev/null || exit 0
user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
chmod 755 "$T"
mkdir -m 777 "$T/logs"
for kind in ASAN UBSAN TSAN; do
    eval "export ${kind}_OPTIONS=\"\$${kind}_OPTIONS:log_path=$T/logs/sanitizer\""
done
user test -x "$VDF_BIN" || exit 0
probe user user
has user fuse cap_sys_admin no
has user engine libaio "$([ "$(user "$IO" has aio)" = ok ] && echo yes || echo no)"
[ "$(stat -c %a /dev/fuse)" = 600 ] && has user fuse device no EACCES
for log in "$T"/logs/*; do
    [ ! -s "$log" ] || fail "the sanitizer reported: $(cat "$log")"
done
exit 0
