#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The register window of a Tegra241: both pages of a VCMDQ, the VINTF's pages, the global page, and a guest that
# starts queues through them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hwqueue-page-lib.sh"

# The window: VCMDQ page 0 and 1, the VINTF's pages, the global page.
same "the window's size" "$(stat -c %s "$M/$d/regs")" $((0x50000))
cons=$("$IO" pread $q/page 0 4)
same "CONS of the VCMDQ" "$("$IO" pread $d/regs 0x10000 4)" "$cons"
same "CONS of the VINTF's queue" "$("$IO" pread $d/regs 0x30000 4)" "$cons"
same "BASE" "$("$IO" pread $d/regs 0x20000 8)" 0800100000000000
same "BASE" "$("$IO" pread $d/regs 0x40000 8)" 0800100000000000
same "PARAM" "$("$IO" pread $d/regs 4 4)" 11400000
same "CMDQ_ALLOC" "$("$IO" pread $d/regs 0x200 8)" 0100000000000000
same "the VINTF's CONFIG and STATUS" "$("$IO" pread $d/regs 0x1000 8)" 0100000001000200
same "a narrow access" "$("$IO" pread $d/regs 0x10000 2)" EOPNOTSUPP
same "a misaligned access" "$("$IO" pread $d/regs 0x10002 4)" EOPNOTSUPP
same "an access to nothing" "$("$IO" pread $d/regs 0x10080 4)" 00000000
put $d/vintf/config 0x20001
same "HYP_OWN in a guest" "$("$IO" pread $d/regs 0x1000 4)" 01000000
put $d/vintf/config 1
same "stopping through the window" "$("$IO" pwrite $d/regs 0x30008 00000000)" ok
eq $q/status 0x00000000
same "the page" "$("$IO" pread $q/page 8 8)" 0000000000000000
same "a new ring" "$("$IO" pwrite $d/regs 0x40000 0400100000000000)" ok
eq $q/log2size 4
eq $q/enable 0
same "PROD" "$("$IO" pwrite $d/regs 0x30004 00000000)" ok
same "starting through the window" "$("$IO" pwrite $d/regs 0x30008 01000000)" ok
eq $q/enable 1
eq $q/status 0x00000001
# A second queue, made by the guest
same "CMDQ_ALLOC of queue 1" "$("$IO" pwrite $d/regs 0x204 03000000)" ok
[ -d "$M/$d/queues/1" ] || fail "CMDQ_ALLOC made no queue"
same "BASE of queue 1" "$("$IO" pwrite $d/regs 0x40080 0400900000000000)" ok
same "starting queue 1" "$("$IO" pwrite $d/regs 0x30088 01000000)" ok
eq $d/queues/1/gerror 0x00000004
eq $d/vintf/err_map 0x0000000000000002
eq $d/interrupt 1
same "VINTF_INT_MASK" "$("$IO" pwrite $d/regs 0x1c 01000000)" ok
eq $d/interrupt 0
