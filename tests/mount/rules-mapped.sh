#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mapped files of bytes: a store is seen by read(2) and a write by the mapping, and neither needs the daemon.
. "$(dirname "$0")/lib.sh"

mount_fs
t=gait/gait0/table
mapped=$("$IO" mmap-store $t 16 5a5a5a5a)
[ "$mapped" != ENODEV ] || skip "files cannot be mapped here"
same "a store" "$mapped" ok
same "what was stored" "$("$IO" pread $t 16 4)" 5a5a5a5a
same "a write" "$("$IO" pwrite $t 20 11223344)" ok
same "the mapping" "$("$IO" mmap-load $t 16 8)" 5a5a5a5a11223344
# read(2) and write(2) are between the kernel and the memory: they need no daemon.
exec 3<>"$M/$t"
pid=$(daemon_pids)
kill -STOP "$pid"
printf 'abcd' >&3
got=$(timeout 20 dd bs=20 count=1 <&3 2>/dev/null | od -An -tx1 | tr -d ' \n')
kill -CONT "$pid"
exec 3<&-
same "a read while the daemon is stopped" "$got" 0000000000000000000000005a5a5a5a11223344
same "what was written meanwhile" "$("$IO" pread $t 0 4)" 61626364
# The page of the vector may be mapped whole, but the file ends after 64 bytes.
same "a store behind the end" "$("$IO" mmap-store gait/gait0/sbv 4088 ffffffffffffffff)" ok
