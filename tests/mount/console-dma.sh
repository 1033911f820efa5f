#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The DMA pool of a console: the feature DMA_MEM, rproc-serial, and the list of buffers to be freed.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0
p=$c/ports/1

# count WORD: lines of dma/buffers that end so.
count() {
    grep -c " $1\$" "$M/$c/dma/buffers"
}

put $c/reset 1
put $c/dma_mem 1
mkdir "$M/$p" || fail "mkdir"
put $c/driver soft
eq $c/driver_features 0x0000000110000007
eq $c/dma/addr 0x0000000000e00000
eq $c/queues/0/desc 0x0000000000e00000
same "rings" "$(count ring)" 64
same "receive buffers" "$(count receive)" 192
same "control buffers" "$(count control)" 1
# In whole pages.
eq $c/dma/used $((257 * 4096))
awk '$1 < "0x00e00000" || $1 > "0x00ffffff" { exit 1 }' "$M/$c/dma/buffers" ||
    fail "a buffer outside of the pool"

put $p/host_connected 1
exec 3>"$M/$p/guest"
printf abc >&3
same "transmit buffers" "$(count transmit)" 1
same "the data" "$("$IO" read $p/data)" abc
# The close of that reader was sent as PORT_OPEN, whose handler reclaims but cannot free.
wait_for 10 grep -q ' 3 pending$' "$M/$c/dma/buffers" || fail "nothing is pending"
same "no transmit buffer" "$(count transmit)" 0
eq $c/dma/used $((258 * 4096))
exec 3>&-
wait_for 10 grep -qx $((257 * 4096)) "$M/$c/dma/used" || fail "the close did not free it"
same "nothing pending" "$(count pending)" 0
eq $c/dma/violations 0
rmdir "$M/$p" || fail "rmdir"

# rproc-serial: one port, no features of its own, no end has to be open.
refuse EBUSY $c/device rproc-serial
put $c/reset 1
put $c/device rproc-serial
eq $c/features 0x0000010930000000
eq $c/dma_mem 0
eq $c/ports/0/console 0
refuse EINVAL $c/dma_mem 1
refuse EINVAL $c/features 0x100000002
refuse EINVAL $c/ports/0/console 1
mkdir "$M/$p" 2>/dev/null && fail "a second port of rproc-serial"
put $c/ports/0/guest firmware
eq $c/status 0x0f
same "the device id" "$("$IO" pread $c/regs 8 4)" 0b000000
same "the data" "$("$IO" read $c/ports/0/data)" firmware
put $c/ports/0/data command
eq $c/ports/0/bytes_discarded 0
same "input while it was closed" "$("$IO" read $c/ports/0/guest)" command

# A pool that is too small for the rings.
put $c/reset 1
put $c/dma/size 4096
same "opening the guest's end" "$("$IO" read $c/ports/0/guest)" ENODEV
eq $c/status 0x8b
grep -q "$c: ENOMEM: driver: no memory for the ring" "$M/errors" || fail "errors says nothing"
put $c/reset 1
put $c/device console
eq $c/features 0x0000010930000007
eq $c/ports/0/console 1

# A driver by hand that leaves the pool with a ring.
put $c/dma_mem 1
put $c/driver none
for step in "0x70 03000000" "0x20 04000000" "0x24 01000000" "0x20 01000000" "0x70 0b000000" \
    "0x38 08000000" "0x80 00100000" "0x90 00140000" "0xa0 00180000" "0x44 01000000"; do
    # shellcheck disable=SC2086
    same "register $step" "$("$IO" pwrite $c/regs $step)" ok
done
eq $c/dma/violations 1
eq $c/status 0x4b
exit 0
