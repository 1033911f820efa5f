# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A virtio console driven by a client, read in after vfu-lib.sh: pci/nic is console/con0, whose registers are in
# region 0. Queue 0 receives and queue 1 transmits, of 8 entries each. Queue Q has its rings at RINGS + 0x1000 * Q.
#
#   virtio_function          make pci/nic, serve it on $S
#   virtio_start RINGS       from reset to DRIVER_OK; queue Q has vector Q + 1, the configuration has 0
#   virtio_go_on RINGS       take over what an earlier client has started
#   virtio_send ADDR LEN     a transmit buffer
#   virtio_receive ADDR LEN  a receive buffer
#   virtio_used Q            how many buffers of the queue the device has used
#   hex TEXT                 its bytes

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
hex() {
    printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
}

virtio_function() {
    mkdir "$M/pci/nic" || fail "mkdir pci/nic"
    put pci/nic/function console/con0
    put pci/nic/vfio_user "$S"
}

# The numbers of buffers that the driver has made available are 0 after a start.
virtio_go_on() {
    rings=$(($1))
    available='0 0'
}

virtio_start() {
    virtio_go_on "$1"
    for step in "0x14 1 0" "0x14 1 1" "0x14 1 3" "0x8 4 0" "0xc 4 0" "0x8 4 1" "0xc 4 1" "0x14 1 0x0b"; do
        # shellcheck disable=SC2086
        vfe ok write 0 $step
    done
    vfe 0x0b read 0 0x14 1
    vfe ok write 0 0x10 2 0
    for q in 0 1; do
        ring=$((rings + q * 0x1000))
        vfe ok poke $ring "$(printf %05120d 0)"
        for step in "0x16 2 $q" "0x18 2 8" "0x1a 2 $((q + 1))" "0x20 8 $ring" "0x28 8 $((ring + 0x400))" \
            "0x30 8 $((ring + 0x800))" "0x1c 2 1"; do
            # shellcheck disable=SC2086
            vfe ok write 0 $step
        done
    done
    vfe ok write 0 0x14 1 0x0f
    vfe 0x0f read 0 0x14 1
}

# virtio_put Q ADDR LEN FLAGS
virtio_put() {
    ring=$((rings + $1 * 0x1000))
    n=${available#* }
    [ "$1" = 1 ] || n=${available% *}
    vfe ok poke $((ring + 16 * (n % 8))) "$(le64 "$2")$(le32 "$3")$(le16 "$4")0000"
    vfe ok poke $((ring + 0x404 + 2 * (n % 8))) "$(le16 $((n % 8)))"
    vfe ok poke $((ring + 0x402)) "$(le16 $((n + 1)))"
    case $1 in
    0) available="$((n + 1)) ${available#* }" ;;
    1) available="${available% *} $((n + 1))" ;;
    esac
    vfe ok write 0 $((0x3000 + 4 * $1)) 2 "$1"
}

virtio_send() {
    virtio_put 1 "$1" "$2" 0
}

virtio_receive() {
    virtio_put 0 "$1" "$2" 2
}

virtio_used() {
    used=$(vf peek $((rings + $1 * 0x1000 + 0x802)) 2)
    echo $((0x${used#??}${used%??}))
}

# used_becomes Q N
used_becomes() {
    used_is() { [ "$(virtio_used "$1")" = "$2" ]; }
    wait_for 10 used_is "$1" "$2" || fail "queue $1 has used $(virtio_used "$1") buffers, not $2"
}
