#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command line: help, version, and refusals that say what was wrong.
. "$(dirname "$0")/lib.sh"

daemon --help >"$T/help" || fail "--help ends with $?"
for word in -f -d -o allow_other default_permissions ro empty state= engine= auto io_uring libaio transport= cache= \
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
