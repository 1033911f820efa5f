#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory of a client: with and without descriptors, buffers in several regions, regions that go while a device uses
# them, and the log of written pages.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"
. "$(dirname "$0")/vfu-virtio-lib.sh"

mount_fs
p=console/con0/ports/0
put $p/overflow hold
virtio_function
client
attach

# Two regions side by side, one of them without a descriptor, and one that is only read.
vfe ok dma-map 0x100000 0x10000 fd
vfe ok dma-map 0x110000 0x10000 nofd 0x10000
vfe ok dma-map 0x120000 0x1000 fd 0x20000 r
eq pci/nic/dma "0x0000000000100000 0x0000000000010000 rw mapped
0x0000000000110000 0x0000000000010000 rw messages
0x0000000000120000 0x0000000000001000 r- mapped"
vfe EEXIST dma-map 0x11f000 0x2000 nofd
vfe EEXIST dma-map 0x100000 0x10000 fd

# sends ADDR TEXT: the text goes from memory to the host.
sends() {
    vfe ok poke "$1" "$(hex "$2")"
    virtio_send "$1" ${#2}
    same "a buffer at $1" "$(timeout 10 head -c ${#2} <&3)" "$2"
}
# receives ADDR TEXT
receives() {
    virtio_receive "$1" 64
    printf %s "$2" >&3
    used_becomes 0 $((${available% *}))
    vfe "$(hex "$2")" peek "$1" ${#2}
}

exec 3<>"$M/$p/data"
virtio_start 0x100000
sends 0x108000 direct
vfe "0 0" dma-count
sends 0x118000 "by message"
sends 0x10fffc "across a border"
sends 0x120ff0 "read only"
receives 0x108000 "to memory"
receives 0x118000 "to memory by message"
receives 0x10fff8 "to both sides of a border"
used_becomes 1 4
case $(vf dma-count) in
"0 "* | *" 0") fail "no message for memory without a descriptor: $(vf dma-count)" ;;
esac

# A client that answers only while it waits for nothing, as QEMU does.
vfe ok dma late
sends 0x118000 "answered late"
receives 0x118000 "written late"
vfe ok dma answer

# The log: pages that the device has written, each once.
vfe ok log-start 4096
vfe none log-report 0x100000 0x20000 4096
receives 0x109ff0 "into two pages, and a ring"
vfe "0 9 10" log-report 0x100000 0x20000 4096
vfe none log-report 0x100000 0x20000 4096
receives 0x11a000 "by message"
vfe "0 1" log-report 0x100000 0x20000 0x10000
sends 0x118000 "read, not written"
vfe "1" log-report 0x100000 0x10000 4096
vfe ok log-stop
vfe E* log-report 0x100000 0x10000 4096

# The rings without a descriptor.
exec 3<&-
vfe ok write 0 0x14 1 0
exec 3<>"$M/$p/data"
virtio_start 0x110000
sends 0x108000 "rings by message"
receives 0x10fff8 "to both sides again"

# A region with rings goes while half of a buffer has been read, and comes back.
vfe ok poke 0x118000 "$(hex half-and-half)"
virtio_send 0x118000 13
same "the first half" "$(timeout 10 head -c 5 <&3)" half-
vfe ok dma-unmap 0x110000 0x10000
case $(cat "$M/pci/nic/dma") in
*0x0000000000110000*) fail "the region is still there" ;;
esac
same "memory that is not there" "$("$IO" read $p/data)" EAGAIN
vfe ok dma-map 0x110000 0x10000 nofd 0x10000
same "the other half" "$(timeout 10 head -c 8 <&3)" and-half

# A region goes while the device waits for its bytes: the reply comes after them.
vfe ok dma silent
vfe ok poke 0x118000 "$(hex 'in flight')"
ring=$((rings + 0x1000))
n=${available#* }
vfe ok poke $((ring + 16 * (n % 8))) "$(le64 0x118000)$(le32 9)$(le16 0)0000"
vfe ok poke $((ring + 0x404 + 2 * (n % 8))) "$(le16 $((n % 8)))"
vfe ok poke $((ring + 0x402)) "$(le16 $((n + 1)))"
available="${available% *} $((n + 1))"
vfe ok write 0 0x3004 2 1
vfe "read *" dma-held
vfe ok message 77 3 0 0 0 "$(le32 24)$(le32 0)$(le64 0x100000)$(le64 0x10000)"
vfe ok dma answer
vfe ok dma-reply
vfe "77 3 0x1 0 *" reply
same "what was in flight" "$(timeout 10 head -c 9 <&3)" "in flight"
case $(cat "$M/pci/nic/dma") in
*0x0000000000100000*) fail "the region is still there" ;;
esac

# A range without any region, a part of one, and all of them.
vfe ok dma-unmap 0x200000 0x200000
vfe ENOENT dma-unmap 0x110000 0x8000
vfe ok dma-unmap 0x0 0x200000
eq pci/nic/dma ""

# A client that refuses: the device needs a reset, the connection goes on.
vfe ok dma-map 0x110000 0x10000 nofd 0x10000
exec 3<&-
vfe ok write 0 0x14 1 0
virtio_start 0x110000
vfe ok dma refuse
vfe ok write 0 0x3004 2 1
wait_for 10 grep -q "EIO: .*DMA_READ" "$M/errors" || fail "errors says nothing of the refusal"
vfe ok dma answer
vfe 0x1af4 read 7 0 2

# A client that does not answer is given up, and the next one finds the device.
vfe ok write 0 0x14 1 0
virtio_start 0x110000
vfe ok dma silent
vfe ok write 0 0x3004 2 1
vfe "read *" dma-held
vfe closed read 7 0 4
wait_for 10 disconnected nic || fail "the silent client is still connected"
grep -q "no reply" "$M/errors" || fail "errors says nothing of the silence"
vfe ok dma answer
attach
vfe ok dma-map 0x110000 0x10000 nofd 0x10000
vfe ok write 0 0x14 1 0
exec 3<>"$M/$p/data"
virtio_start 0x110000
sends 0x118000 "the next one"
exec 3<&-
