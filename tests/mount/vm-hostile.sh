#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest with a device of each kind breaks all rules for some seconds: the daemon and the other devices work on,
# errors has lines about it, and the machine can be stopped and removed at any time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

# How many seconds; a minute by hand.
SECONDS_LONG=${VDF_HOSTILE_SECONDS:-6}

mount_fs
need_kvm
mkdir "$M/console/con1" "$M/intx/bus0/devices/d" "$M/hwqueue/amd"
put intx/bus0/devices/d/line 5
put intx/bus0/devices/d/enabled 1
put intx/bus0/devices/d/assert 1
put hwqueue/smmu0/ioas/map "0 0x200000"
mkdir "$M/hwqueue/smmu0/queues/0" "$M/hwqueue/smmu0/queues/1"
put hwqueue/amd/type amd
put hwqueue/amd/ioas/map "0 0x200000"

machine h user hostile
put vm/h/cpus 2
slot h 0 console/con0 0x10000000 10
put aplic/aplic0/imsic/0/eidelivery 1
put aplic/aplic0/imsic/0/enabled "$(seq 255)"
slot h 1 aplic/aplic0 0x11000000 msi
slot h 2 aplic/aplic0/imsic/0 0x12000000 ""
slot h 3 hwqueue/smmu0 0x13000000 11
slot h 4 hwqueue/smmu0/queues/0 0x14000000 ""
slot h 5 hwqueue/amd 0x15000000 12
slot h 6 intx/bus0/devices/d 0x16000000 9
# word N: a little-endian number as hex
word() { printf '%08x' "$1" | sed 's/\(..\)\(..\)\(..\)\(..\)/\4\3\2\1/'; }
windows=$(for w in 0x10000000:0x3ff 0x11000000:0x7fff 0x12000000:0xfff 0x13000000:0x7ffff \
    0x14000000:0x1fff 0x15000000:0x7fff 0x16000000:0x1ff; do
    word "${w%:*}"
    word "${w#*:}"
done)
set_windows() {
    "$IO" pwrite vm/h/memory 0x1000 "$(word 7)00000000$windows" >/dev/null
    "$IO" pwrite vm/h/memory 0x1810 "$(word "$1")$(word "$1")" >/dev/null
}
accesses() { echo $((0x$("$IO" pread vm/h/memory 0x1808 4 | sed 's/\(..\)\(..\)\(..\)\(..\)/\4\3\2\1/'))); }
more() { [ "$(accesses)" -gt "$1" ]; }

random_seed
# Its generator needs a number that is not 0.
set_windows $(((seed | 1) & 0xffffffff))
until=$(($(date +%s) + SECONDS_LONG))
for doorbell in mapped trapped; do
    put hwqueue/smmu0/doorbell $doorbell
    put vm/h/run 1
done
rounds=0
while [ "$(date +%s)" -lt $until ]; do
    n=$(accesses)
    wait_for 20 more "$n" || fail "the guest has stopped: $(cat "$M/vm/h/status")"
    eq vm/h/run 1
    # Others go on as ever, and so do the devices' own files.
    put aplic/aplic0/wire/1 $((rounds % 2))
    printf 'line %d\n' $rounds >"$M/console/con1/ports/0/data" &
    same "a console that is not the guest's" \
        "$(timeout 20 head -n 1 "$M/console/con1/ports/0/guest")" "line $rounds"
    wait
    cat "$M/console/con0/status" "$M/hwqueue/smmu0/queues/0/cons" "$M/vm/h/exits/mmio" >/dev/null
    timeout 20 "$IO" read console/con0/ports/0/data 4096 >/dev/null
    case $((rounds % 6)) in
    1) put vm/h/run 0 && put vm/h/run 1 ;;
    2) put vm/h/slots/4/attached 0 && put vm/h/slots/4/attached 1 ;;
    3) cp "$M/state" "$T/state" || fail "the state cannot be read" ;;
    4) put hwqueue/smmu0/doorbell mapped ;;
    5) put hwqueue/smmu0/doorbell trapped ;;
    esac
    rounds=$((rounds + 1))
done
put vm/h/run 0
total=$(accesses)
[ "$total" -gt 1000 ] || fail "there were only $total accesses"
[ "$(cat "$M/vm/h/slots/0/refused")" -gt 0 ] || fail "no access to the console was refused"
[ -s "$M/errors" ] || fail "errors is empty"
[ "$(wc -l <"$M/errors")" -le 256 ] || fail "errors has more than 256 lines"

# The state of all that can be saved, and be restored in another mount.
cp "$M/state" "$T/state" || fail "the state cannot be read"
cp "$M/vm/h/memory" "$T/memory"
cp "$T/state" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
cp "$M/state" "$T/again"
cmp "$T/state" "$T/again" || fail "the restored state differs"
put vm/h/run 1
wait_for 20 more "$total" || fail "the guest does not go on after the restore"

# Away with it while it is at it.
# The last close of its memory may still be on its way.
wait_for 10 rmdir "$M/vm/h" 2>/dev/null || fail "rmdir of the running machine"
eq console/con0/driver none
rmdir "$M/console/con0" "$M/hwqueue/smmu0" "$M/hwqueue/amd" || fail "a device is still held"
[ -s "$M/version" ] || fail "the daemon does not answer"
