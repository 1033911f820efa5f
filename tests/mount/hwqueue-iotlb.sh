#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Virtual devices, and cached translations that invalidations remove.
. "$(dirname "$0")/lib.sh"

mount_fs
d=hwqueue/smmu0
q=$d/queues/0
put $d/ioas/map "0x100000 0x10000"

mkdir "$M/$q" "$M/$d/vdevices/7" "$M/$d/vdevices/8" || fail "mkdir"
mkdir "$M/$d/vdevices/7" 2>/dev/null && fail "two virtual devices with one stream id"
mkdir "$M/$d/vdevices/x" 2>/dev/null && fail "a virtual device that is no number"
eq $d/vdevices/7/psid 7
put $d/vdevices/7/psid 0x107
eq $d/vdevices/7/psid 263
refuse EINVAL $d/vdevices/7/psid 0x100000

put $q/base 0x100000
put $q/enable 1

# run WORD0 WORD1: one command, words as printf's hex numbers; returns when it has been executed.
slot=0
run() {
    vdf_bytes=$(printf '%016x%016x' "$2" "$1" | fold -w2 | tac | tr -d '\n')
    same "a command" "$("$IO" pwrite $q/entries $((slot * 16)) "$vdf_bytes")" ok
    slot=$((slot + 1))
    put $q/prod $slot
}

fill() {
    for vdf_line in "263 0 0x1000 0x1000 1" "263 5 0x2000 0x1000 1" "263 0 0x200000 0x200000 1" \
        "8 0 0x1000 0x1000 2" "8 0 0x3000 0x1000 1"; do
        put $d/iotlb/insert "$vdf_line"
    done
}

fill
refuse EINVAL $d/iotlb/insert "1 2 3 4"
refuse EINVAL $d/iotlb/insert "1 2 0x1000"
refuse EINVAL $d/iotlb/insert "1 2 0x1000 0x1000 65536"
eq $d/iotlb/entries "263 0 0x1000 0x1000 1
263 5 0x2000 0x1000 1
263 0 0x200000 0x200000 1
8 0 0x1000 0x1000 2
8 0 0x3000 0x1000 1"
# TLBI_NH_VA of ASID 1 at 0x1000
run 0x0001000000000012 0x1000
eq $d/iotlb/entries "263 5 0x2000 0x1000 1
263 0 0x200000 0x200000 1
8 0 0x1000 0x1000 2
8 0 0x3000 0x1000 1"
# TLBI_NH_VA of 4 KiB granules, two of them, from 0x2000
run 0x0001000000001012 0x2400
eq $d/iotlb/entries "263 0 0x200000 0x200000 1
8 0 0x1000 0x1000 2"
# TTL 3 spares a 2 MiB translation, TTL 2 removes it.
run 0x0001000000001012 0x200700
eq $d/iotlb/entries "263 0 0x200000 0x200000 1
8 0 0x1000 0x1000 2"
run 0x0001000000001012 0x200600
eq $d/iotlb/entries "8 0 0x1000 0x1000 2"
# TLBI_NH_ASID
run 0x0002000000000011 0
eq $d/iotlb/entries ""
eq $d/tlbi 5

# ATC_INV of stream 7, which is 263 in the machine: substream 5, then two pages, then everything. The
# devices' translations are not the IOMMU's.
fill
for vdf_line in "263 0 0x1000 0x1000" "263 5 0x2000 0x1000" "263 0 0x200000 0x200000" \
    "8 0 0x1000 0x1000" "8 0 0x3000 0x1000 global"; do
    put $d/iotlb/atc_insert "$vdf_line"
done
refuse EINVAL $d/iotlb/atc_insert "8 0 0x3000 0x1000 1"
before=$(cat "$M/$d/iotlb/entries")
run $((0x40 | 1 << 11 | 5 << 12 | 7 << 32)) 52
eq $d/iotlb/atc_entries "263 0 0x1000 0x1000
263 0 0x200000 0x200000
8 0 0x1000 0x1000
8 0 0x3000 0x1000 global"
run $((0x40 | 7 << 32)) 0x1001
eq $d/iotlb/atc_entries "263 0 0x200000 0x200000
8 0 0x1000 0x1000
8 0 0x3000 0x1000 global"
run $((0x40 | 7 << 32)) 52
eq $d/iotlb/atc_entries "8 0 0x1000 0x1000
8 0 0x3000 0x1000 global"
eq $d/atc_inv 3
eq $d/iotlb/entries "$before"
run 0x46 0
eq $d/sync 1

# A TLBI leaves the devices alone, and one of an ASID global translations.
put $d/iotlb/insert "8 0 0x5000 0x1000 1 global"
run 0x0001000000000011 0
eq $d/iotlb/entries "8 0 0x1000 0x1000 2
8 0 0x5000 0x1000 1 global"
run 0x0007000000000012 0x5000
eq $d/iotlb/entries "8 0 0x1000 0x1000 2"
eq $d/iotlb/atc_entries "8 0 0x1000 0x1000
8 0 0x3000 0x1000 global"

# No such stream, and a device that does not answer
run $((0x40 | 9 << 32)) 52
eq $q/error ILL_ACCESS
mkdir "$M/$d/vdevices/9" || fail "mkdir vdevices/9"
put $d/vdevices/9/atc_timeout 1
put $q/gerrorn 1
eq $q/error none
run 0x46 0
eq $q/error ATC_INV_SYNC
put $q/gerrorn 0
eq $q/error none
eq $d/sync 2
eq $d/illegal 1
eq $d/iotlb/entries "8 0 0x1000 0x1000 2"

# A range without range and level
run $((0x12 | 1 << 48)) $((0x10000 | 1 << 10))
eq $q/error ILL
rmdir "$M/$d/vdevices/9" || fail "rmdir vdevices/9"
