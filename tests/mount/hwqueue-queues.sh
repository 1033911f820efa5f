#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Queues of a Tegra241 are made in order and allocated with iommufd's errnos, run commands, and stop at errors.
. "$(dirname "$0")/lib.sh"

mount_fs
d=hwqueue/smmu0
q=$d/queues/0
sync=46000000000000000000000000000000
illegal=30000000000000000000000000000000

# fill SLOT HEX: one command into the ring.
fill() {
    same "writing command $1" "$("$IO" pwrite $q/entries $(($1 * 16)) "$2")" ok
}

# answers ERRNO COMMAND...: a command fails as a system call with that errno does.
answers() {
    vdf_want=$1
    shift
    vdf_said=$(LC_ALL=C "$@" 2>&1) && fail "$* succeeded"
    case $vdf_said in
    *"$vdf_want"*) ;;
    *) fail "$*: $vdf_said, not $vdf_want" ;;
    esac
}

eq $d/type tegra241-cmdqv
eq $d/backend soft
refuse ENODEV $d/backend iommufd
refuse EINVAL $d/backend hard
eq $d/hw_info "type = 3
flags = 0x00000000
version = 1
log2vcmdqs = 1
log2vsids = 4"
eq $d/global/config 0x00000001
eq $d/global/status 0x00000001
eq $d/global/param 0x00004011
eq $d/vintf/config 0x00000001
eq $d/vintf/status 0x00020001
eq $d/vintf/err_map 0x0000000000000000
refuse EINVAL $d/vintf/err_map 1
eq $d/doorbell mapped
put $d/doorbell trapped
put $d/doorbell mapped
absent $d/queues/cmd
absent $d/control

answers "Input/output error" mkdir "$M/$d/queues/1"
answers "Invalid argument" mkdir "$M/$d/queues/2"
mkdir "$M/$q" || fail "mkdir $q"
answers "File exists" mkdir "$M/$q"
mkdir "$M/$d/queues/1" || fail "mkdir queues/1"
answers "busy" rmdir "$M/$q"
refuse EBUSY $d/type amd

# HW_QUEUE_ALLOC
put $q/log2size 4
put $q/base 0x100000
refuse ENOENT $q/enable 1
put $q/base 0xffffffffffffff80
refuse EOVERFLOW $q/enable 1
put $d/ioas/map "0x100000 0x4000"
put $q/base 0x100020
refuse EINVAL $q/enable 1
put $q/base 0x100000
put $d/queues/1/base 0x102000
refuse EIO $d/queues/1/enable 1
same "the ring's size" "$(stat -c %s "$M/$q/entries")" 256
put $q/enable 1
eq $q/status 0x00000001
eq $q/config 0x00000001
refuse EBUSY $d/ioas/unmap "0x100000 0x4000"
refuse EBUSY $q/base 0x101000
refuse EBUSY $q/log2size 5
refuse EINVAL $q/status 0

# Commands run before the write of prod returns; the ring wraps with the bit above the index.
for slot in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    fill $slot $sync
done
put $q/prod 16
eq $q/cons 0x00000010
eq $d/sync 16
put $q/prod 20
eq $q/cons 0x00000014
refuse EINVAL $q/prod 5
refuse EINVAL $q/prod 0x100000
refuse EBUSY $q/cons 0
eq $d/commands 20

# An illegal command: CONS stays there; repaired and acknowledged, the queue goes on.
fill 5 $illegal
put $q/prod 23
eq $q/cons 0x01000015
eq $q/error ILL
eq $q/gerror 0x00000001
eq $q/gerrorn 0x00000000
eq $d/vintf/err_map 0x0000000000000001
eq $d/vintf/status 0x00020003
eq $d/interrupt 1
eq $d/illegal 1
tail -n 1 "$M/errors" | grep -q "queues/0: EINVAL" || fail "errors does not tell"
same "the event" "$("$IO" read $d/events)" \
    "vcmdq=0 error=ILL index=5 opcode=0x30 command=TLBI_NSNH_ALL"
fill 5 $sync
put $q/gerrorn 1
eq $q/cons 0x00000017
eq $q/error none
eq $d/interrupt 0
eq $d/events_lost 0

# A failing fetch
put $q/fetch_abort 1
put $q/prod 24
eq $q/error ABT
put $q/fetch_abort 0
put $q/gerrorn 0
eq $q/cons 0x00000018

# Two events have come.
same "poll of veventq" "$("$IO" poll $d/veventq in 0)" in
same "veventq" "$("$IO" read $d/veventq 4096 | od -An -v -tx4 -w24 | tr -s ' ')" \
    " 00000000 00000000 00000001 00000000 00000000 00000000
 00000000 00000001 00000001 00000000 00000000 00000000"
same "veventq when it is empty" "$("$IO" read $d/veventq)" EAGAIN
put $d/veventq_depth 1
put $q/gerror 1
put $q/gerror 0
put $q/gerror 1
same "an event, and that one was lost" \
    "$("$IO" read $d/veventq 4096 | od -An -v -tx4 -w32 | tr -s ' ')" \
    " 00000000 00000002 00000001 00000000 00000000 00000000 00000001 00000003"
put $q/gerror 0

# CONFIG, the VINTF and the CMDQV all have to be enabled.
put $d/vintf/config 0
eq $q/status 0x00000000
put $d/vintf/config 1
put $d/global/config 0
eq $q/status 0x00000000
put $d/global/config 1
put $q/config 0
eq $q/status 0x00000000
put $q/cons 0
put $q/prod 0
put $q/config 1
eq $q/status 0x00000001

# Where CONS is stored in memory
put $q/cons_base 0x101000
put $d/global/config 0x100001
put $q/prod 1
same "CONS in memory" "$("$IO" pread $d/memory 0x1000 4)" 01000000

put $d/queues/1/enable 1
refuse EBUSY $q/enable 0
rmdir "$M/$d/queues/1" || fail "rmdir queues/1"
put $q/enable 0
eq $q/prod 0x00000000
eq $q/status 0x00000000
put $d/ioas/unmap "0x100000 0x4000"
same "the ring's size" "$(stat -c %s "$M/$q/entries")" 0
rmdir "$M/$q" || fail "rmdir $q"
put $d/type amd
