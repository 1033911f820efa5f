#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The attributes of a console: their values in a plain mount, their modes, and which can be written when.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0

# The console of a plain mount is running.
eq $c/device console
eq $c/features 0x0000010930000007
eq $c/driver_features 0x0000000110000003
eq $c/dma_mem 0
eq $c/memory_size 16777216
eq $c/dma/size 2097152
eq $c/dma/addr 0x0000000000e00000
eq $c/dma/used 0
eq $c/dma/buffers ""
eq $c/dma/violations 0
eq $c/max_ports 31
eq $c/size "0 0"
eq $c/resize_order cols-rows
eq $c/driver soft
eq $c/vhost_user ""
eq $c/status 0x0f
eq $c/control_lost 0
eq $c/queues/0/size 64
eq $c/queues/0/ready 1
eq $c/queues/0/desc 0x0000000000001000
eq $c/queues/0/driver 0x0000000000001800
eq $c/queues/0/device 0x0000000000001c00
eq $c/queues/0/avail_idx 64
eq $c/queues/0/used_idx 0
eq $c/queues/0/last_avail 0
same "the queues" "$(ls "$M/$c/queues" | wc -l)" 64
same "the ports" "$(ls "$M/$c/ports")" 0

# One that is made by hand has been touched by no driver.
mkdir "$M/console/c1" || fail "mkdir"
eq console/c1/status 0x00
eq console/c1/driver_features 0x0000000000000000
eq console/c1/queues/0/ready 0
eq console/c1/ports/0/guest_connected 0
put console/c1/driver soft
eq console/c1/status 0x0f
rmdir "$M/console/c1" || fail "rmdir"
absent console/c1

# Modes.
for file in driver_features dma/addr dma/used dma/buffers dma/violations status control \
    queues/0/size queues/0/ready queues/0/desc queues/0/driver queues/0/device queues/0/avail_idx \
    queues/0/used_idx queues/0/last_avail; do
    same "the mode of $file" "$(stat -c %a "$M/$c/$file")" 444
    same "writing $file" "$("$IO" write $c/$file 1)" EACCES
done
same "the mode of reset" "$(stat -c %a "$M/$c/reset")" 200
same "reading reset" "$("$IO" read $c/reset)" EACCES

# While a driver runs.
refuse EBUSY $c/device rproc-serial
refuse EBUSY $c/features 0x100000003
refuse EBUSY $c/dma_mem 1
refuse EBUSY $c/dma/size 4096
refuse EBUSY $c/memory_size 4194304
refuse EBUSY $c/max_ports 2
refuse EINVAL $c/vhost_user run/console
put $c/vhost_user ""
refuse EINVAL $c/driver vhost-user
refuse EINVAL $c/driver vm
refuse EINVAL $c/driver hard
refuse EINVAL $c/reset 0
refuse EINVAL $c/resize_order rows
refuse EINVAL $c/size 80x25
refuse ERANGE $c/size "80 65536"

# The text of a file can be written back, and changes nothing.
for file in device features dma_mem dma/size memory_size max_ports driver size resize_order; do
    put $c/$file "$(cat "$M/$c/$file")"
done
eq $c/status 0x0f

put $c/size "132 43"

# After a reset.
put $c/reset 1
eq $c/status 0x00
eq $c/driver_features 0x0000000000000000
eq $c/queues/0/ready 0
eq $c/ports/0/guest_connected 0
refuse EINVAL $c/features 3
refuse EINVAL $c/features 0x100000010
refuse EINVAL $c/queue_size 0
refuse EINVAL $c/queue_size 65
refuse EINVAL $c/queue_size 2048
put $c/queue_size 256
eq $c/queue_size 256
refuse EINVAL $c/max_ports 0
refuse EINVAL $c/max_ports 32769
refuse ERANGE $c/max_ports 4294967296
refuse EINVAL $c/memory_size 1073745920
refuse EINVAL $c/memory_size 5000
refuse EINVAL $c/memory_size 1048576
refuse EINVAL $c/dma/size 0
refuse EINVAL $c/dma/size 16777216
put $c/memory_size 4194304
put $c/dma/size 1048576
eq $c/dma/addr 0x0000000000300000
same "the size of memory" "$(stat -c %s "$M/$c/memory")" 4194304
put $c/max_ports 1
same "the queues of one port" "$(ls "$M/$c/queues" | wc -l)" 4
put $c/features 0x100000001
same "the queues without MULTIPORT" "$(ls "$M/$c/queues" | wc -l)" 2
mkdir "$M/$c/ports/1" 2>/dev/null && fail "a second port without MULTIPORT"
rmdir "$M/$c/ports/0" 2>/dev/null && fail "the only port went"
# Opening a port lets the driver probe; the configuration has the size.
same "nothing to read yet" "$("$IO" read $c/ports/0/guest)" EAGAIN
eq $c/status 0x0f
eq $c/driver_features 0x0000000100000001
eq $c/ports/0/guest_size "132 43"
put $c/size "90 30"
eq $c/ports/0/guest_size "90 30"

# No driver.
put $c/driver none
eq $c/status 0x00
absent $c/ports/0/guest
absent $c/ports/0/guest_size

put $c/driver soft
rmdir "$M/$c" || fail "rmdir"
absent $c
