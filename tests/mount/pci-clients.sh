#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Clients: several at once, one a function; one that dies, and one that waits for its turn.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"

mount_fs
for n in 1 2; do
    mkdir "$M/intx/bus0/devices/d$n" "$M/pci/f$n" "$M/pci/f$n/bars/0" || fail "mkdir"
    put intx/bus0/devices/d$n/line 5
    put intx/bus0/devices/d$n/enabled 1
    put pci/f$n/bars/0/device memory
    put pci/f$n/function intx/bus0/devices/d$n
done
put pci/f1/vfio_user "$S"
put pci/f2/vfio_user "$S2"
mkdir "$M/pci/f3" || fail "mkdir"
refuse EADDRINUSE pci/f3/vfio_user "$S2"
rmdir "$M/pci/f3" || fail "rmdir"

# Two at once, whose interrupts share a line of the host.
client
first=$client_pid
attach "$S"
vfe ok set-irqs $INTX 0 1 eventfd trigger
client 2
second=$client_pid
attach "$S2"
vfe ok set-irqs $INTX 0 1 eventfd trigger
put intx/bus0/devices/d1/assert 1
vfe timeout wait-irq $INTX 0 50
use 1
vfe 1 wait-irq $INTX 0
vfe ok write 0 0 4 1
use 2
vfe 0x00000000 read 0 0 4
vfe ok write 0 0 4 2
put intx/bus0/devices/d2/assert 1
vfe 1 wait-irq $INTX 0
case "$(cat "$M/pci/f1/client") $(cat "$M/pci/f2/client")" in
"pid=$first "*" pid=$second "*) ;;
*) fail "the clients are $(cat "$M"/pci/f?/client)" ;;
esac

# One dies, in the middle of a message. The other does not notice, and the device stays as it was.
use 1
vfe ok write 7 4 2 0x0006
vfe ok bytes 0100
kill -KILL "$first"
wait_for 10 disconnected f1 || fail "the dead client is still connected"
use 2
vfe 0x00000002 read 0 0 4
eq intx/bus0/devices/d1/guest_level 1
client 1
attach "$S"
vfe 0x00000001 read 0 0 4
vfe 0x0006 read 7 4 2
# The interrupt that the dead one has not ended is the next one's.
vfe ok set-irqs $INTX 0 1 eventfd trigger
vfe 1 wait-irq $INTX 0
put intx/bus0/devices/d1/assert 0
vfe ok set-irqs $INTX 0 1 none unmask

# A second client of a function is served when the first has gone.
use 2
vfe ok close
vfe ok connect "$S"
vfe ok message 1 1 0 0 0 00000000
vfe timeout reply 200
use 1
vfe ok close
use 2
vfe "1 1 0x1 0 *" reply
vfe 0x00000001 read 0 0 4
use 1
attach "$S2"
vfe 0x00000002 read 0 0 4

# A killed daemon leaves a socket behind, which the next one replaces.
kill -KILL "$(daemon_pids)"
vdf_unmount -l
vfe closed info
[ -S "$S" ] || fail "there is no socket to be replaced"
mount_fs
mkdir "$M/pci/f1" || fail "mkdir"
put pci/f1/vfio_user "$S"
attach
vfe 0x00051b36 read 7 0 4
umount_fs
[ ! -e "$S" ] || fail "the daemon has left its socket"
