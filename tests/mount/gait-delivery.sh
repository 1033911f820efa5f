#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Signals of a GAIT's functions: vectors, summary bits, alerts, forwarded events, and a SIC that fails.
. "$(dirname "$0")/lib.sh"

mount_fs
g=gait/gait0
vm=$g/guests/vm
f=$g/functions/f

# is_memory OFFSET HEX: bytes of the guest's memory.
is_memory() {
    same "memory at $1" "$("$IO" pread $vm/memory "$1" $((${#2} / 2)))" "$2"
}

mkdir "$M/$vm" "$M/$f" || fail "mkdir"
put $g/enabled 1
put $vm/memory_size 65536
put $vm/locked_limit 3
put $f/guest vm
put $f/isc 2
put $f/noi 4000
put $f/ibv 0x1f80
put $f/sb 0x3000
put $f/sbo 9
put $f/registered 1

# Not running: an alert. Vectors and summary bits count from the most significant bit.
put $f/signal 1
put $f/signal 1025
refuse EINVAL $f/signal 2048
eq $f/aibv '1
1025'
is_memory 0x1f80 40
is_memory 0x2000 40
is_memory 0x3000 0040
eq $vm/ipm 0x20
eq $vm/alerts 1
eq $g/alerts 1
# The next alert comes when the guest has taken the interrupt.
eq $vm/iam 0x00
put $vm/ipm 0
eq $vm/iam 0x20
put $f/signal 1
eq $g/alerts 2
eq $vm/ipm 0x20
eq $g/aen_forward 0

# Running: no alert.
put $vm/running 1
put $vm/ipm 0
put $f/signal 2
eq $vm/ipm 0x20
eq $g/alerts 2

# Not eligible: through the host.
put $vm/ipm 0
put $f/interpret 0
put $f/signal 3
eq $vm/ipm 0x20
eq $g/aen_forward 1
eq $vm/aen_forward 1
eq $g/interrupts 3
eq $g/sic_armed 1
same "the summary vector" "$("$IO" pread $g/sbv 0 8)" 0000000000000000

# Single-interruption mode with its one interruption delivered: bits, but nothing pending.
put $vm/ipm 0
put $vm/simm 0x20
put $vm/nimm 0x20
put $f/signal 4
eq $vm/ipm 0x00
eq $g/aen_forward 1
put $vm/nimm 0
put $f/signal 4
eq $vm/ipm 0x20
eq $g/aen_forward 2

# A SIC that fails: the ISC stays disarmed, and the event waits.
put $g/sic_fail 1
put $f/signal 5
tail -n 1 "$M/errors" | grep -q EIO || fail "errors does not mention the SIC"
eq $g/sic_armed 0
put $f/signal 6
eq $g/aen_forward 3
same "the summary vector" "$("$IO" pread $g/sbv 0 1)" 80

# A deregistered function leaves nothing behind.
put $f/registered 0
same "the summary vector" "$("$IO" pread $g/sbv 0 1)" 00
