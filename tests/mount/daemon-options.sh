#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command line: help, version, and error messages that name the mistake.
. "$(dirname "$0")/lib.sh"

daemon --help >"$T/help" || fail "--help ends with $?"
for word in -f -d -o allow_other allow_root default_permissions no_default_permissions auto_unmount uid= gid= umask= ro \
    empty state= engine= auto io_uring libaio transport= cache= \
    --run --probe --help --version MOUNTPOINT; do
    grep -qF -e "$word" "$T/help" || fail "--help says nothing of $word"
done

mount_fs
version=$(cat "$M/version")
daemon --version | grep -qF "virtdevfs $version" || fail "--version does not tell $version"
umount_fs

# rejects WORD ARGUMENT...: the command fails, says WORD, and mounts nothing.
rejects() {
    word=$1
    shift
    daemon "$@" >"$T/out" 2>"$T/err"
    status=$?
    [ $status -ne 0 ] || fail "virtdevfs $* succeeded"
    [ $status -lt 126 ] || fail "virtdevfs $* ended with $status"
    grep -qF -e "$word" "$T/err" || fail "virtdevfs $* does not say $word but: $(cat "$T/err")"
    ! mounted || fail "virtdevfs $* left a mount"
}

touch "$T/file"
rejects --help
rejects --nonsense --nonsense "$M"
rejects nonsense -o nonsense "$M"
rejects nonsense -o engine=nonsense "$M"
rejects libaio -o engine=nonsense "$M"
rejects dev -o transport=nonsense "$M"
rejects always -o cache=nonsense "$M"
rejects "$T/missing" "$T/missing"
rejects "$T/file" "$T/file"
rejects "$T/nostate" -o "state=$T/nostate" "$M"
rejects extra "$M" extra
rejects MOUNTPOINT ''
rejects MOUNTPOINT

# Every option that libfuse knows works or is refused.
uring=
[ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" != Y ] || uring=auto
for transport in dev $uring; do
    for option in allow_other allow_root auto_unmount default_permissions no_default_permissions fsname=name \
        'fsname=a\,b' subtype=word max_read=4096 max_read=65536 ro rw suid nosuid dev nodev exec noexec async sync \
        dirsync noatime user=me x-word defaults,_netdev,nofail,noauto,relatime; do
        mount_fs -o "transport=$transport" -o "$option"
        cat "$M/state" >"$T/out" || fail "-o $option,transport=$transport: the state cannot be read"
        [ "$(wc -c <"$T/out")" = "$(stat -c %s "$M/state")" ] || fail "-o $option: the state is cut off"
        umount_fs
    done
    # libfuse 3.14 does not know these.
    for option in nodiratime nostrictatime; do
        "$VDF_BIN" -o "transport=$transport,$option" --run true 2>"$T/err" ||
            { [ $? = 2 ] && grep -q "$option" "$T/err"; } || fail "-o $option answers: $(cat "$T/err")"
    done
    for option in blkdev blksize=512 nonempty clone_fd max_threads=2 io_uring_q_depth=4 max_read= max_read=1 \
        max_read=x uid=-1 uid= gid=no.such.group umask=8 umask=1000 umask= state= -n; do
        rejects "$option" -o "transport=$transport" -o "$option" "$M"
    done
done
mount_fs -o 'fsname=a\,b'
same "the name of the file system" "$(grep -F " $M " /proc/self/mounts | cut -d ' ' -f 1)" 'a,b'
umount_fs
