#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A vfio-user client with wrong messages: each is refused with an error and a line in errors, and the connection goes
# on. Only a header that does not say where the next message begins ends it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"
. "$(dirname "$0")/vfu-virtio-lib.sh"
. "$(dirname "$0")/vfu-hostile-lib.sh"

# Before VERSION, and VERSION itself.
vfe ok connect "$S"
for command in 2 3 4 5 6 7 8 9 10 13 15 16 17 18; do
    vfe EINVAL raw $command 0 "$(printf %0128d 0)"
done
reported pci/nic EINVAL "VERSION comes first"
vfe ok close
vfe ok connect "$S"
vfe E* version "$vfu_version" 1 0
vfe closed info
for json in '{' '[]' '{"capabilities":1}' '{"capabilities":{"max_msg_fds":"8"}}' \
    '{"capabilities":{"max_data_xfer_size":-1}}' '{"capabilities":{"max_msg_fds":99999999999999999999}}'; do
    vfe ok connect "$S"
    vfe E* version "$json"
done
vfe ok connect "$S"
vfe E* raw 1 0 "00000000$(hex '{}')"
vfe ok connect "$S"
vfe E* raw 1 0 0000

attach
# Headers.
closed "message of type 2" message 1 4 16 2 0 -
closed "message of 15 bytes" message 1 4 15 0 0 -
closed "message of 0 bytes" bytes 01000400000000000000000000000000
closed "message of 4294967295 bytes" message 1 4 0xffffffff 0 0 -
closed "message of 2147483648 bytes" message 1 9 0x80000000 0 0 -
# A message in pieces is a message; half of one is nothing.
vfe ok bytes 0500
vfe ok bytes 04002000
vfe ok bytes 000000000000000000001000
vfe ok bytes 000000000000000000000000
vfe ok bytes 0000
vfe "5 4 0x1 0 *" reply
vfe ok bytes 010004002000
again

# Commands that do not exist or go the other way, replies to nothing, the error field, and no reply.
for command in 0 14 19 99 65535; do
    vfe E* raw $command 0 "$(printf %064d 0)"
done
again
bad EINVAL "command 99 is unknown" raw 99 0 -
bad EINVAL "command of servers" raw 11 0 "$(printf %032d 0)"
bad EINVAL "command of servers" raw 12 0 "$(printf %064d 0)"
vfe ok message 1 11 0 1 0 "$(printf %064d 0)"
vfe ok message 2 4 0 0x21 5 -
vfe ok raw 13 0x10 -
vfe ok raw 99 0x10 -
vfe "0x3 9 5" info

# Too short, and argsz.
for command in 2 3 4 5 6 7 8 9 10 15 16 17 18; do
    bad EINVAL "bytes behind the header" raw $command 0 -
done
for command in 2 3 4 5 6 7 8 16 17 18; do
    bad EINVAL "argsz 3" raw $command 0 "03000000$(printf %072d 0)"
done

# Descriptors that do not belong, and too many.
for command in 1 3 4 5 6 7 9 10 13 15 16 17 18; do
    vfe EINVAL raw $command 0 "40000000$(printf %072d 0)" 1
done
again
bad EINVAL descriptors raw 8 0 "$(le32 20)$(le32 0x24)$(le32 2)$(le32 0)$(le32 9)" 9
bad EINVAL descriptors raw 8 0 "$(le32 20)$(le32 0x24)$(le32 2)$(le32 0)$(le32 1)" 64
bad EINVAL descriptors raw 2 0 "$(le32 32)$(le32 3)$(le64 0)$(le64 0)$(le64 4096)" 2 memfd

# Regions and accesses.
bad EINVAL 4294967295 region 0xffffffff
bad EINVAL "" raw 6 0 "$(le32 4096)$(le32 0)$(le32 9)$(le32 0)"
bad EINVAL 5 irq 5
bad EINVAL "region 0" read 0 0xffffffffffffffff 4
bad EINVAL "region 0" read 0 0 0xffffffff
bad EINVAL "region 7" write 7 0x100 4 0
bad EINVAL "region 7" read 7 0xfe 4
bad EINVAL "of data" raw 10 0 "$(le64 0)$(le32 7)$(le32 8)00000000"
bad EINVAL "of data" raw 10 0 "$(le64 0)$(le32 7)$(le32 0xfffffff0)00000000"
bad EINVAL writes raw 15 0 "$(le64 0x0fffffff)"
bad EINVAL writes raw 15 0 ffffffffffffffff
bad EINVAL writes raw 15 0 "$(le64 1)00"
bad EINVAL "has 9 bytes" raw 15 0 "$(le64 1)$(le64 0)$(le32 7)$(le32 9)$(le64 0)"

# Interrupts. A vector has to be an eventfd.
for kind in memfd file pipe socket; do
    bad EINVAL eventfd raw 8 0 "$(le32 20)$(le32 0x24)$(le32 2)$(le32 0)$(le32 1)" 1 $kind
done
bad EINVAL "" raw 8 0 "$(le32 20)$(le32 0x27)$(le32 2)$(le32 0)$(le32 1)" 1
bad EINVAL "" raw 8 0 "$(le32 20)$(le32 0x3c)$(le32 2)$(le32 0)$(le32 1)" 1
bad EINVAL "" raw 8 0 "$(le32 20)$(le32 0x24)$(le32 2)$(le32 0)$(le32 2)" 1
bad EINVAL "" raw 8 0 "$(le32 20)$(le32 0x24)$(le32 2)$(le32 0xffffffff)$(le32 2)" 2
bad EINVAL "" raw 8 0 "$(le32 20)$(le32 0x22)$(le32 2)$(le32 0)$(le32 8)"
bad EINVAL "" raw 8 0 "$(le32 20)$(le32 0x24)$(le32 9)$(le32 0)$(le32 1)" 1

# Features.
bad "E*" "" feature 0x10063
bad EINVAL "" feature 0x30001
bad EINVAL "" feature 0x20001
bad EINVAL "" feature 0x20002 01
bad EINVAL "" log-start 3
bad EINVAL "" log-start 4096 0xfffffffffffff000 0x2000
bad EINVAL "" feature 0x20006 "$(le64 4096)$(le32 0xffffffff)$(le32 0)"
bad "E*" "" log-report 0 0x1000 4096
vfe ok log-start 4096
bad EINVAL "" log-report 0 0xffffffffffffffff 4096
bad EINVAL "" log-report 0 0x1000 0
bad EINVAL "" log-report 0 0x1000 3
bad "E*" "" raw 17 0 "$(le32 0xffffffff)$(le32 0xffffffff)"
bad "E*" "" raw 18 0 "$(le32 16)$(le32 0xffffffff)00"

no_descriptor_is_left
