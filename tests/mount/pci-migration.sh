#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A function moves to another daemon: by the migration of the protocol, and by a state that was saved before the daemon
# was killed. The driver goes on where it was.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"
. "$(dirname "$0")/vfu-virtio-lib.sh"

rings=0x100000
p=console/con0/ports/0

memory() {
    vfe ok dma-map 0x100000 0x10000 fd
    vfe ok dma-map 0x110000 0x10000 nofd 0x10000
}

listen() {
    vfe ok set-irqs $MSIX 0 3 eventfd trigger
}

mount_fs
put $p/overflow hold
virtio_function
client
attach
memory
listen
exec 3<>"$M/$p/data"
virtio_start $rings
vfe ok poke 0x108000 "$(hex first-second-third)"
virtio_send 0x108000 18
same "a part" "$(timeout 10 head -c 6 <&3)" first-

# The states, and the ways between them.
vfe 0500000000000000 feature 0x10001
vfe RUNNING state
vfe EINVAL state ERROR
vfe EINVAL state 9
vfe EINVAL state RUNNING_P2P
vfe ok state STOP
vfe STOP state
vfe ok state RUNNING
vfe E* save "$T/nothing"
vfe ok state STOP_COPY

# A stopped device touches nothing.
same "data of a stopped device" "$("$IO" read $p/data)" EAGAIN
saved=$(vf save "$T/stream")
[ "$saved" -gt 100 ] || fail "the stream has $saved bytes"
# The same again in small pieces.
for pieces in 65536 7; do
    vfe ok state STOP
    vfe ok state STOP_COPY
    vf save "$T/stream$pieces" $pieces >/dev/null
done
cmp "$T/stream65536" "$T/stream7" || fail "the stream depends on the size of its pieces"
vfe ok state RUNNING
same "it goes on" "$(timeout 10 head -c 7 <&3)" second-
vfe ok state STOP_COPY
vf save "$T/stream" >/dev/null
exec 3<&-
vfe ok close

# Another daemon, with devices of the same names. The memory is the client's.
remount_fs
virtio_function
attach
memory
listen
vfe ok state RESUMING
vfe EBUSY write 0 0x14 1 0
vfe "$(wc -c <"$T/stream")" restore "$T/stream" 1000
vfe ok state STOP
vfe ok state RUNNING
vfe 0x0f read 0 0x14 1
exec 3<>"$M/$p/data"
same "the rest, in another daemon" "$(timeout 10 head -c 5 <&3)" third
used_becomes 1 1
vfe 1 wait-irq $MSIX 2
vfe ok poke 0x118000 "$(hex next)"
virtio_send 0x118000 4
same "the next buffer" "$(timeout 10 head -c 4 <&3)" next
used_becomes 1 2

# Streams that are wrong: refused as a whole.
"$IO" pread pci/nic/config 0 64 >"$T/before"
for damage in "head -c 100" "sed s/[a-z]/X/" "sed \$s/.*/$(printf %0500d 0)/"; do
    $damage "$T/stream" >"$T/bad" 2>/dev/null
    vfe ok state STOP
    vfe ok state RESUMING
    vf restore "$T/bad" >/dev/null
    vfe E* state STOP
    vfe ok reset
    vfe RUNNING state
    vfe ok write 0 0x14 1 0
done
virtio_start $rings
vfe ok poke 0x108000 "$(hex after-all)"
virtio_send 0x108000 9
same "after refused streams" "$(timeout 10 head -c 9 <&3)" after-all

# The daemon is killed. A new one has the state of before; the client connects again.
vfe ok poke 0x108000 "$(hex before-after)"
virtio_send 0x108000 12
same "a part" "$(timeout 10 head -c 7 <&3)" before-
exec 3<&-
cat "$M/state" >"$T/state" || fail "the state cannot be saved"
kill -KILL "$(daemon_pids)"
vdf_unmount -l
vfe closed info
mount_fs
cp "$T/state" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
served "$S" || fail "the function is not served"
attach
memory
listen
vfe 0x0f read 0 0x14 1
exec 3<>"$M/$p/data"
same "the rest, after the daemon's death" "$(timeout 10 head -c 5 <&3)" after
vfe ok poke 0x118000 "$(hex and-on)"
virtio_send 0x118000 6
same "it goes on" "$(timeout 10 head -c 6 <&3)" and-on
exec 3<&-
