#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# APLIC with MSI delivery: the register window.
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/aplic-lib.sh"

mount_aplic
D=aplic/aplic0

put $D/domaincfg 0x100
same "size of regs" "$(stat -c %s "$M/$D/regs")" 16384
same "domaincfg in regs" "$("$IO" pread $D/regs 0 4)" 04010080
same "a store" "$("$IO" pwrite $D/regs 0x3004 2a000400)" ok
eq $D/target/1 0x0004002a
same "two stores" "$("$IO" pwrite $D/regs 4 0100000006000000)" ok
eq $D/sourcecfg/1 0x00000001
eq $D/sourcecfg/2 0x00000006
same "a copy" "$("$IO" pread $D/regs 0x180 16)" 00000000000000000000000000000000
same "a whole copy" "$(dd if="$M/$D/regs" bs=4096 2>/dev/null | wc -c)" 16384
for offset in 1 2 3 0x1c01 0x3002; do
    same "pread at $offset" "$("$IO" pread $D/regs $offset 4)" EOPNOTSUPP
    same "pwrite at $offset" "$("$IO" pwrite $D/regs $offset 00000000)" EOPNOTSUPP
done
same "a narrow load" "$("$IO" pread $D/regs 0 2)" EOPNOTSUPP
same "a narrow store" "$("$IO" pwrite $D/regs 0 00)" EOPNOTSUPP
for offset in 0x184 0x1bc0 0x1c10 0x2008 0x3184 0x3ffc; do
    same "pread at $offset" "$("$IO" pread $D/regs $offset 4)" ENODEV
    same "pwrite at $offset" "$("$IO" pwrite $D/regs $offset 00000000)" ENODEV
done
same "pwrite at the end" "$("$IO" pwrite $D/regs 0x4000 00000000)" ENODEV
