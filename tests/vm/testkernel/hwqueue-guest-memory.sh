#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The memory of a guest changes while the kernel has a vIOMMU's mappings: the unit test, on the mock.
. "$(dirname "$0")/common"

"$(dirname "$VDF_BIN")/tests/test_guest_memory" --filter 'guest_memory/iommufd' >"$T/log" 2>&1 ||
    fail "the test fails: $(cat "$T/log")"
grep 'skipped part' "$T/log" && fail "the test was skipped"
exit 0
