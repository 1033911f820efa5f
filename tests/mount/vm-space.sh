#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Address space runs out while a processor is made: the run is refused, and a later run works.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

! sanitized || skip "a sanitizer takes address space itself and ends without"
mount_fs
need_kvm
mkdir "$M/vm/v"
same "the memory" "$("$IO" pwrite vm/v/memory 0 b007e6f4ebfe)" ok
pid=$(daemon_pids)
prlimit --pid "$pid" --as=1:unlimited
same "a run without address space" "$("$IO" write vm/v/run 1)" ENOMEM
cp "$M/state" "$T/after" 2>/dev/null
prlimit --pid "$pid" --as=unlimited:unlimited
put vm/v/run 1
ends v 7
rmdir "$M/vm/v" || fail "rmdir"
