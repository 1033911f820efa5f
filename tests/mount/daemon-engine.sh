#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# engine=: the daemon uses the requested engine; `auto` is io_uring, or libaio where io_uring is refused.
. "$(dirname "$0")/lib.sh"

mount_fs
if [ "$VDF_ENGINE" != auto ]; then
    eq engine/kind "$VDF_ENGINE"
elif [ "$($VDF_WRAP "$IO" has io_uring)" = ok ]; then
    eq engine/kind io_uring
else
    eq engine/kind libaio
fi

# Each engine waits and wakes.
put aplic/aplic0/domaincfg 0x100
put aplic/aplic0/sourcecfg/5 4
put aplic/aplic0/target/5 5
put aplic/aplic0/setienum 5
got=$("$IO" poll aplic/aplic0/msi in 10000 sh -c "echo 1 >'$M/aplic/aplic0/wire/5'")
same "poll of a log that gets a line" "$got" in
umount_fs

# Where io_uring is forbidden only a demand for it fails, with a reason.
VDF_WRAP=$VDF_NORING
export VDF_WRAP
VDF_ENGINE=auto
mount_fs
eq engine/kind libaio
umount_fs
daemon -o engine=io_uring "$M" 2>"$T/err" && fail "engine=io_uring succeeded without io_uring"
grep -q io_uring "$T/err" || fail "the refusal does not name io_uring: $(cat "$T/err")"
! mounted || fail "a refused engine left a mount"
