#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An AMD IOMMU: command buffer, event log and PPR log as files and as registers.
. "$(dirname "$0")/lib.sh"

mount_fs
d=hwqueue/smmu0
put $d/type amd
absent $d/vintf/config
absent $d/global/config
mkdir "$M/$d/queues/0" 2>/dev/null && fail "an AMD IOMMU has no VCMDQs"
same "the queues" "$(ls "$M/$d/queues")" "cmd
event
ppr"
eq $d/hw_info "type = 4
efr = 0x0000000000000052
efr2 = 0x0000000000000000"
same "the window's size" "$(stat -c %s "$M/$d/regs")" $((0x4000))

put $d/ioas/map "0x100000 0x10000"
for queue in cmd event ppr; do
    eq $d/queues/$queue/length 9
    refuse EINVAL $d/queues/$queue/length 7
    refuse EINVAL $d/queues/$queue/length 16
    put $d/queues/$queue/length 8
    refuse ENOENT $d/queues/$queue/enable 1
done
put $d/queues/cmd/base 0x100000
put $d/queues/event/base 0x101000
put $d/queues/ppr/base 0x102000
for queue in cmd event ppr; do
    put $d/queues/$queue/enable 1
    eq $d/queues/$queue/run 1
    eq $d/queues/$queue/overflow 0
    refuse EBUSY $d/queues/$queue/base 0x108000
    refuse EBUSY $d/queues/$queue/length 9
    refuse EINVAL $d/queues/$queue/run 0
    refuse EINVAL $d/queues/$queue/head 0x1000
    refuse EINVAL $d/queues/$queue/tail 8
done
eq $d/control 0x0000000000003005
eq $d/status 0x0000000000000098
refuse EBUSY $d/ioas/unmap "0x100000 0x10000"
refuse EBUSY $d/type tegra241-cmdqv

# run DATA0 DATA1 DATA2 DATA3
tail=0
run() {
    vdf_bytes=
    for vdf_word; do
        vdf_bytes=$vdf_bytes$(printf '%08x' "$vdf_word" | fold -w2 | tac | tr -d '\n')
    done
    same "a command" "$("$IO" pwrite $d/memory $tail "$vdf_bytes")" ok
    tail=$((tail + 16))
    put $d/queues/cmd/tail $tail
}

# COMPL_WAIT with a store, then with an interrupt
run 0x104001 0x10000000 0x11223344 0x55667788
same "the stored word" "$("$IO" pread $d/memory 0x4000 8)" 4433221188776655
eq $d/queues/cmd/head 0x0000000000000010
put $d/control 0x301d
run 2 0x10000000 0 0
eq $d/status 0x000000000000009c
eq $d/interrupt 1
same "clearing ComWaitInt" "$("$IO" pwrite $d/regs 0x2020 0400000000000000)" ok
eq $d/interrupt 0
eq $d/sync 2

# Invalidations: a page, an aligned span (S), a domain, a device, everything
for line in "1 0 0x1000 0x1000 5" "1 0 0x2000 0x1000 5" "1 0 0x3000 0x1000 5" "1 0 0x9000 0x1000 5" \
    "1 3 0x9000 0x1000 5" "2 0 0x1000 0x1000 6"; do
    put $d/iotlb/insert "$line"
done
run 0 0x30000005 0x1000 0
eq $d/iotlb/entries "1 0 0x2000 0x1000 5
1 0 0x3000 0x1000 5
1 0 0x9000 0x1000 5
1 3 0x9000 0x1000 5
2 0 0x1000 0x1000 6"
run 0 0x30000005 0x2001 0
eq $d/iotlb/entries "1 0 0x9000 0x1000 5
1 3 0x9000 0x1000 5
2 0 0x1000 0x1000 6"
run 3 0x30000005 0x9004 0
eq $d/iotlb/entries "1 0 0x9000 0x1000 5
2 0 0x1000 0x1000 6"
put $d/iotlb/atc_insert "1 0 0x9000 0x1000"
put $d/iotlb/atc_insert "2 0 0x9000 0x1000"
run 1 0x40000000 0xfffff001 0x7fffffff
eq $d/iotlb/atc_entries "2 0 0x9000 0x1000"
run 0 0x30000005 0xfffff003 0x7fffffff
eq $d/iotlb/entries "2 0 0x1000 0x1000 6"
run 0 0x20000000 0 0
run 0 0x50000000 0 0
eq $d/iotlb/entries "2 0 0x1000 0x1000 6"
run 0 0x80000000 0 0
eq $d/iotlb/entries ""
eq $d/iotlb/atc_entries "2 0 0x9000 0x1000"
eq $d/tlbi 5
eq $d/atc_inv 1

# An illegal command stops the buffer and is in the log, in memory.
run 0 0x60000000 0 0
eq $d/queues/cmd/run 0
eq $d/illegal 1
eq $d/queues/event/tail 0x0000000000000010
same "ILL_CMD in the log" "$("$IO" pread $d/memory 0x1000 16)" 0000000000000050a000100000000000
tail -n 1 "$M/errors" | grep -q "smmu0: EINVAL" || fail "errors does not tell"
put $d/queues/cmd/enable 0
put $d/queues/cmd/head 0xb0
put $d/queues/cmd/enable 1
eq $d/queues/cmd/run 1

# Faults until the log is full
put $d/queues/event/inject "IO_PAGE_FAULT 0x10 7 0x7000 0x20"
same "the fault in the log" "$("$IO" pread $d/memory 0x1010 16)" 10000000070020200070000000000000
same "an event" "$("$IO" read $d/events | tail -n 1)" \
    "event=IO_PAGE_FAULT devid=0x10 domain=7 flags=0x20 address=0x7000"
refuse EINVAL $d/queues/event/inject "NOTHING 1 2 3"
refuse EINVAL $d/queues/event/inject "IO_PAGE_FAULT 1 2"
put $d/queues/event/head 0x30
put $d/queues/event/inject "IO_PAGE_FAULT 0x10 7 0x7000"
eq $d/queues/event/overflow 1
eq $d/queues/event/run 0
eq $d/queues/event/tail 0x0000000000000020
put $d/queues/event/enable 0
refuse EBUSY $d/queues/event/inject "IO_PAGE_FAULT 0x10 7 0x7000"
put $d/queues/event/overflow 0
put $d/queues/event/enable 1
eq $d/queues/event/run 1

# Page requests
put $d/queues/ppr/inject "0x10 0x51234 0x7000 0x1ff 0x803"
same "the request in the log" "$("$IO" pread $d/memory 0x2000 16)" 10003412ff1503180070000000000000
eq $d/queues/ppr/tail 0x0000000000000010
refuse EINVAL $d/queues/ppr/inject "0x10 0x51234 0x7000 512"
tail=176
run 0x10 0x70051234 4 0x11ff
same "an event" "$("$IO" read $d/events | tail -n 1)" \
    "complete_ppr devid=0x10 pasid=332340 tag=511 status=1"
put $d/queues/ppr/head 0x20
put $d/queues/ppr/inject "1 2 0x3000 4"
eq $d/queues/ppr/overflow 1
eq $d/queues/ppr/run 0

# The registers are the same.
same "EFR" "$("$IO" pread $d/regs 0x30 8)" 5200000000000000
same "CmdBase" "$("$IO" pread $d/regs 8 8)" 0000100000000008
same "CmdHead" "$("$IO" pread $d/regs 0x2000 8)" c000000000000000
same "PPRTail" "$("$IO" pread $d/regs 0x2038 8)" 1000000000000000
# In halves, as most drivers access them; a bit that is cleared by writing 1 is in its half only.
same "CmdHead's low half" "$("$IO" pread $d/regs 0x2000 4)" c0000000
same "CmdBase's high half" "$("$IO" pread $d/regs 0xc 4)" 00000008
same "PPROverflow before" "$("$IO" pread $d/regs 0x2020 4)" 7a000000
same "a store to Status's high half" "$("$IO" pwrite $d/regs 0x2024 ffffffff)" ok
same "PPROverflow after" "$("$IO" pread $d/regs 0x2020 4)" 7a000000
same "a store to Status's low half" "$("$IO" pwrite $d/regs 0x2020 20000000)" ok
same "PPROverflow cleared" "$("$IO" pread $d/regs 0x2020 4)" 5a000000
same "half of a half" "$("$IO" pread $d/regs 0x2020 2)" EOPNOTSUPP
put $d/queues/cmd/enable 0
put $d/queues/event/enable 0
put $d/queues/ppr/enable 0
put $d/ioas/unmap "0x100000 0x10000"
put $d/type tegra241-cmdqv
