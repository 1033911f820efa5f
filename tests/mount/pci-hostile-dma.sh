#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A vfio-user client with wrong memory: regions, descriptors, replies to accesses, and files that it cuts under running
# rings. Others are served meanwhile.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"
. "$(dirname "$0")/vfu-virtio-lib.sh"
. "$(dirname "$0")/vfu-hostile-lib.sh"

c=console/con0
attach

# map FLAGS OFFSET ADDRESS SIZE: the payload of DMA_MAP.
map() {
    echo "$(le32 32)$(le32 "$1")$(le64 "$2")$(le64 "$3")$(le64 "$4")"
}
bad EINVAL "at least one page" raw 2 0 "$(map 3 0 0 0)"
bad EINVAL multiples raw 2 0 "$(map 3 0 1 4096)"
bad EINVAL multiples raw 2 0 "$(map 3 0 0 4097)"
bad EINVAL multiples raw 2 0 "$(map 3 1 0 4096)" 1 memfd
bad EINVAL "beyond 64 bits" raw 2 0 "$(map 3 0 -4096 8192)"
bad EINVAL "flags 0x0" raw 2 0 "$(map 0 0 0 4096)"
bad EINVAL "flags 0x7" raw 2 0 "$(map 7 0 0 4096)"
bad EINVAL "without a descriptor" raw 2 0 "$(map 3 4096 0 4096)"
bad EINVAL "" raw 2 0 "$(map 3 0 0 0x200000)" 1 memfd
bad EINVAL "" raw 2 0 "$(map 3 0x100000 0 4096)" 1 memfd
bad EINVAL "" raw 2 0 "$(map 3 -4096 0 4096)" 1 memfd
for kind in file pipe socket eventfd; do
    bad "E*" "" raw 2 0 "$(map 3 0 0 4096)" 1 $kind
done
for other in "0x10f000 0x2000" "0xff000 0x2000" "0x100000 0x10000" "0 0xfffffffffffff000"; do
    again
    vfe ok dma-map 0x100000 0x10000 fd
    # shellcheck disable=SC2086
    bad EEXIST overlap dma-map $other nofd
done
again

# More regions than there may be.
i=0
while vf dma-map $((i * 0x2000)) 0x1000 nofd >"$T/answer" && [ "$(cat "$T/answer")" = ok ]; do
    i=$((i + 1))
    [ $i -le 70000 ] || fail "$i regions"
done
same "the answer to too many" "$(cat "$T/answer")" ENOSPC
again

# Replies to DMA_READ that are none: too long, too short, of another address, an error, of another message.
for reply in "$(le64 0x112000)$(le64 8)" "$(le64 0x112000)$(le64 0xffffffffffffffff)$(le64 0)" \
    "$(le64 0x112000)$(le64 16)$(le64 0)$(le64 0)" "-" "$(le64 0)$(le64 8)$(le64 0)"; do
    vfe ok dma-map 0x110000 0x10000 nofd 0x10000
    vfe ok dma answer
    vfe ok write 0 0x14 1 0
    virtio_start 0x110000
    vfe ok dma silent
    vfe ok write 0 0x3004 2 1
    vfe "read *" dma-held
    vfe ok dma-reply "$reply"
    vfe ok dma answer
    vf read 7 0 4 >/dev/null
    again
done
[ -n "$(cat "$M/errors")" ] || fail "errors says nothing of wrong replies"

# Others are served while a client keeps a device waiting.
vfe ok dma-map 0x110000 0x10000 nofd 0x10000
virtio_start 0x110000
vfe ok dma silent
vfe ok write 0 0x3004 2 1
eq aplic/aplic0/harts 2
vfe closed read 7 0 4
eq $c/driver pci
vfe ok dma answer
attach

# Memory that is taken away under the rings.
vfe ok dma-map 0x100000 0x10000 fd
vfe ok write 0 0x14 1 0
virtio_start 0x100000
vfe ok cut
vf write 0 0x3004 2 1 >/dev/null
vf read 0 0x14 1 >/dev/null
wait_for 10 grep -q "cut" "$M/errors" || fail "errors says nothing of the file"
vfe ok close
kill -KILL "$client_pid"
client
attach
vfe ok dma-map 0x100000 0x10000 fd
vfe ok write 0 0x14 1 0
virtio_start 0x100000

# Commands without end from a client that does not listen.
vfe ok flood 13
eq aplic/aplic0/harts 2
again
vfe 0x0000 read 7 4 2

no_descriptor_is_left
