#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The script is the driver of a console: it uses the virtio-mmio window and writes rings to the memory file.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0
put $c/driver none

# reg OFFSET VALUE: a register write; le16, le32, le64: numbers as the device has them.
le16() {
    printf '%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255))
}
le32() {
    le16 $(($1 & 65535))
    le16 $(($1 >> 16 & 65535))
}
le64() {
    le32 $(($1 & 0xffffffff))
    le32 $(($1 >> 32 & 0xffffffff))
}
reg() {
    same "register $1" "$("$IO" pwrite $c/regs "$1" "$(le32 "$2")")" ok
}
reg_is() {
    same "register $1" "$("$IO" pread $c/regs "$1" 4)" "$(le32 "$2")"
}
store() {
    same "memory $1" "$("$IO" pwrite $c/memory "$1" "$2")" ok
}

same "the size" "$(stat -c %s "$M/$c/regs")" 512
same "magic, version, device" "$("$IO" pread $c/regs 0 12)" 766972740200000003000000
same "misaligned" "$("$IO" pread $c/regs 2 4)" EOPNOTSUPP
same "too short" "$("$IO" pread $c/regs 0x70 1)" EOPNOTSUPP
same "too short to write" "$("$IO" pwrite $c/regs 0x70 01)" EOPNOTSUPP
reg_is 0x10 0x30000007
reg 0x14 1
reg_is 0x10 0x109
reg_is 0x34 64
reg_is 0xb0 0xffffffff
reg_is 0x104 31
reg_is 0x1fc 0
put $c/size "80 25"
reg_is 0x100 0x00190050
reg_is 0xfc 1
reg_is 0x60 0

# Emergency output works before anything else.
for letter in 6f 68; do
    same "emerg_wr" "$("$IO" pwrite $c/regs 0x108 ${letter}000000)" ok
done
same "emergency output" "$("$IO" read $c/ports/0/data)" oh

# Features.
reg 0x70 1
eq $c/status 0x01
reg 0x70 3
reg 0x20 0x20
reg 0x24 1
reg 0x20 1
reg 0x70 0x0b
eq $c/status 0x03
grep -q "$c: EOPNOTSUPP: driver features" "$M/errors" || fail "no line about features"
reg 0x24 0
reg 0x20 2
reg 0x70 0x0b
eq $c/status 0x0b
eq $c/driver_features 0x0000000100000002

# Queues 0 to 3: descriptors, available ring and used ring of each in a page.
for q in 0 1 2 3; do
    reg 0x30 $q
    reg 0x44 0
    reg 0x38 8
    reg 0x80 $((q * 4096 + 4096))
    reg 0x84 0
    reg 0x90 $((q * 4096 + 5120))
    reg 0x94 0
    reg 0xa0 $((q * 4096 + 6144))
    reg 0xa4 0
    reg 0x44 1
    reg_is 0x44 1
done
eq $c/queues/3/desc 0x0000000000004000
eq $c/queues/3/driver 0x0000000000004400
eq $c/queues/3/device 0x0000000000004800
eq $c/queues/3/size 8
reg 0x70 0x0f
eq $c/status 0x0f

# buffer QUEUE HEAD ADDRESS LENGTH FLAGS: a chain of one, made available.
buffer() {
    store $(($1 * 4096 + 4096 + $2 * 16)) "$(le64 "$3")$(le32 "$4")$(le16 "$5")0000"
    idx=$(cat "$M/$c/queues/$1/avail_idx")
    store $(($1 * 4096 + 5120 + 4 + idx % 8 * 2)) "$(le16 "$2")"
    store $(($1 * 4096 + 5120 + 2)) "$(le16 $((idx + 1)))"
    reg 0x50 "$1"
}

# Control: two buffers for the device's messages, then DEVICE_READY and PORT_READY.
buffer 2 0 0x10000 64 2
buffer 2 1 0x10040 64 2
store 0x11000 "ffffffff00000100"
buffer 3 0 0x11000 8 0
same "PORT_ADD" "$("$IO" pread $c/memory 0x10000 8)" 0000000001000100
eq $c/queues/2/used_idx 1
reg_is 0x60 1
reg 0x64 1
reg_is 0x60 0
store 0x11000 "0000000003000100"
buffer 3 0 0x11000 8 0
same "CONSOLE_PORT" "$("$IO" pread $c/memory 0x10040 8)" 0000000004000100
eq $c/ports/0/ready 1

# A port that holds what the host has not read.
put $c/ports/0/overflow hold

# Data for a host that is closed is discarded, as the driver could know.
store 0x12000 "$(printf hello | od -An -tx1 | tr -d ' ')"
buffer 1 0 0x12000 5 0
eq $c/ports/0/bytes_discarded 5
eq $c/queues/1/used_idx 1
exec 3<>"$M/$c/ports/0/data"
buffer 1 0 0x12000 5 0
eq $c/ports/0/throttled 1
same "the host reads" "$("$IO" read $c/ports/0/data)" hello
eq $c/queues/1/used_idx 2
eq $c/ports/0/bytes_sent 5
exec 3<&-

# The guest opens the port; data goes into its buffer.
put $c/ports/0/data waits
eq $c/queues/0/used_idx 0
buffer 0 3 0x13000 16 2
store 0x11000 "0000000006000100"
buffer 3 0 0x11000 8 0
eq $c/ports/0/guest_connected 1
eq $c/queues/0/used_idx 1
same "what waited" "$("$IO" pread $c/memory 0x13000 6)" 77616974730a
same "the used entry" "$("$IO" pread $c/memory 0x1804 8)" 0300000006000000

# Indirect descriptors were not negotiated; a loop; a buffer beyond memory.
broken() {
    eq $c/status 0x4f
    tail -n 1 "$M/errors" | grep -q "$1" || fail "errors says $(tail -n 1 "$M/errors")"
    reg_is 0x60 3
}
buffer 1 0 0x12000 16 4
broken "not negotiated"
reg 0x70 0
eq $c/status 0x00
eq $c/queues/1/ready 0
reg_is 0x60 0
exit 0
