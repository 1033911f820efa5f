#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest drives a queue whose page is mapped, and one whose page traps.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

for doorbell in mapped trapped; do
    mkdir "$M/hwqueue/q$doorbell"
    machine smmu long hwqueue
    put "hwqueue/q$doorbell/doorbell" $doorbell
    put "hwqueue/q$doorbell/ioas/map" "0 0x200000"
    mkdir "$M/hwqueue/q$doorbell/queues/0"
    slot smmu 0 "hwqueue/q$doorbell" 0x10000000 11
    slot smmu 1 "hwqueue/q$doorbell/queues/0" 0x20000000 ""
    eq vm/smmu/slots/0/size 327680
    put "hwqueue/q$doorbell/iotlb/insert" "0 0 0x1000 0x1000"
    put "hwqueue/q$doorbell/iotlb/insert" "0 0 0x9000 0x1000"
    put vm/smmu/run 1
    ends smmu 0
    same "what the guest said" "$(said smmu | tr '\n' ' ')" "queue runs synced mended "
    eq "hwqueue/q$doorbell/sync" 3
    eq "hwqueue/q$doorbell/tlbi" 2
    eq "hwqueue/q$doorbell/illegal" 1
    eq "hwqueue/q$doorbell/iotlb/entries" "0 0 0x9000 0x1000 0"
    eq "hwqueue/q$doorbell/queues/0/gerror" "$(cat "$M/hwqueue/q$doorbell/queues/0/gerrorn")"
    same "rmdir of an attached queue" \
        "$(rmdir "$M/hwqueue/q$doorbell/queues/0" 2>&1 | grep -c busy)" 1
    # An access by trap costs an exit, one of a mapped page none.
    mmio=$(cat "$M/vm/smmu/exits/mmio")
    case $doorbell in
    mapped) [ "$mmio" -gt 3 ] || fail "$mmio accesses trapped" ;;
    trapped) [ "$mmio" -ge 12 ] || fail "$mmio accesses trapped" ;;
    esac
    rmdir "$M/vm/smmu" || fail "rmdir vm/smmu"
    rmdir "$M/hwqueue/q$doorbell/queues/0" || fail "rmdir of the queue"
done
