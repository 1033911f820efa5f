#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mount(8) and fstab(5) mount a tree with each way to name a FUSE file system.

# mount(8) looks for virtdevfs where programs of the system are: there, in a mount namespace of this script.
if [ "$(id -u)" = 0 ] && [ -z "${own_mounts:-}" ]; then
    export own_mounts=1
    exec unshare -m "$0"
fi

. "$(dirname "$0")/lib.sh"
root_only
[ -e /sbin/mount.fuse ] || skip "mount.fuse is missing"
mount -t tmpfs tmpfs /usr/local/sbin || skip "no mounts can be made"
ln -s "$VDF_BIN" /usr/local/sbin/virtdevfs

# works WANTED ARGUMENT...: mount(8) with these mounts a tree, whose entry in the mount table has WANTED.
works() {
    wanted=$1
    shift
    mount "$@" 2>"$T/stderr" || fail "mount $* failed"
    [ -s "$M/version" ] || fail "mount $*: the tree cannot be used"
    case $(grep -F " $M fuse.virtdevfs " /proc/self/mounts) in
    *"$wanted"*) ;;
    *) fail "mount $*: $(grep -F " $M " /proc/self/mounts)" ;;
    esac
    umount "$M" || fail "umount after mount $*"
}

works virtdevfs -t fuse.virtdevfs virtdevfs "$M"
works none -t fuse.virtdevfs none "$M"
works virtdevfs -t fuse virtdevfs "$M"
works virtdevfs -t fuse virtdevfs# "$M"
works lab -t fuse virtdevfs#lab "$M"
works default_permissions,allow_other -t fuse.virtdevfs none "$M" -o allow_other,umask=007,empty
works ro, -t fuse.virtdevfs none "$M" -o ro,noauto,nofail,_netdev,x-systemd.automount

for line in "none $M fuse.virtdevfs defaults,noauto,relatime 0 0" "virtdevfs# $M fuse empty,user 0 0"; do
    echo "$line" >"$T/fstab"
    works virtdevfs --fstab "$T/fstab" "$M"
done
