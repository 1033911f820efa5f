#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same random operations on the model and on the kernel's device, see ../aplicdiff.c.
#
#   VDF_OPERATIONS   how many on each: 3000, ten times as many with VDF_VM_FULL
#   VDF_SEED         the seed of an earlier run, which then does the same; the clock without it
VDF_LIMIT=${VDF_LIMIT:-900}
. "$(dirname "$0")/common"

operations=${VDF_OPERATIONS:-$([ -n "${VDF_VM_FULL:-}" ] && echo 30000 || echo 3000)}
mount_fs -o empty
"$(dirname "$IO")/aplicdiff" "$M" "$operations" >"$T/said"
ret=$?
sed 's/^/# /' "$T/said"
[ $ret = 0 ] || fail "the model and the kernel's device differ"
