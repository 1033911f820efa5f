#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An ordinary user mounts a tree with fusermount3, and only that user can access the tree.

# Where /dev/fuse is for root only, as in some containers, a node for everybody takes its place, in a
# mount namespace of this script.
if [ "$(id -u)" = 0 ] && [ -z "${fuse_node:-}" ] && [ "$(stat -c %a /dev/fuse 2>/dev/null)" = 600 ]; then
    export fuse_node=1
    exec unshare -m sh -c 'd=$(mktemp -d) && mount -t tmpfs tmpfs "$d" &&
        mknod -m 666 "$d/fuse" c 10 229 && mount --bind "$d/fuse" /dev/fuse && umount -l "$d" &&
        rmdir "$d" || exit 1; exec "$0"' "$0"
fi

. "$(dirname "$0")/lib.sh"
root_only
command -v setpriv >/dev/null || skip "setpriv is missing"
user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$T" "$@"
}
[ -u "$(command -v fusermount3)" ] || skip "fusermount3 is not setuid root"
chmod 755 "$T"
chown 65534:65534 "$M"
user test -x "$VDF_BIN" || skip "an ordinary user cannot reach $VDF_BIN"
# Reports of a sanitizer are written by that user.
mkdir -m 777 "$T/logs"
for kind in ASAN UBSAN TSAN; do
    eval "export ${kind}_OPTIONS=\"\$${kind}_OPTIONS:log_path=$T/logs/sanitizer\""
done

user "$VDF_BIN" -o "engine=$VDF_ENGINE" "$M" 2>"$T/stderr" || fail "an ordinary user cannot mount"
same "what the user reads" "$(user cat "$M/aplic/aplic0/harts")" 2
user sh -c "echo 1 >'$M/aplic/aplic0/wire/5'" || fail "the user cannot write"
user mkdir "$M/intx/mine" || fail "the user cannot make a device"
same "the owner of a file" "$(user stat -c %u "$M/version")" 65534
# Mapping is for a daemon with CAP_SYS_ADMIN; the rest of a raw file works.
same "mmap" "$(user "$IO" mmap-load gait/gait0/table 0 4)" ENODEV
same "pread" "$(user "$IO" pread gait/gait0/table 0 4)" 00000000
# Without allow_other not even root looks in.
cat "$M/version" >/dev/null 2>&1 && fail "another user reads the tree"
user fusermount3 -u "$M" || fail "the user cannot unmount"
wait_for 10 daemon_gone || fail "the daemon did not end"

# auto_unmount goes through fusermount3 as well.
user "$VDF_BIN" -o "engine=$VDF_ENGINE,auto_unmount" "$M" 2>"$T/stderr" || fail "auto_unmount was refused"
kill -KILL "$(daemon_pids)"
wait_for 10 eval '! mounted' || fail "auto_unmount leaves the mount of an ordinary user's daemon"

# allow_other needs a permission that only root gives.
if ! grep -q '^user_allow_other' /etc/fuse.conf 2>/dev/null; then
    user "$VDF_BIN" -o allow_other "$M" 2>"$T/err" && fail "allow_other was given to anybody"
    grep -q allow_other "$T/err" || fail "the refusal does not say why: $(cat "$T/err")"
    ! mounted || fail "a refused allow_other left a mount"
fi
user "$VDF_BIN" "$T" 2>"$T/err" && fail "a user mounted on a directory of somebody else"
for log in "$T"/logs/*; do
    [ ! -s "$log" ] || fail "the daemon's sanitizer reported: $(cat "$log")"
done
