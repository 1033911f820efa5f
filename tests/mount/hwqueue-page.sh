#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A queue's page and the register window: the same registers, seen by the engine through a mapping too.
. "$(dirname "$0")/lib.sh"

mount_fs
d=hwqueue/smmu0
q=$d/queues/0
put $d/ioas/map "0x100000 0x1000"
mkdir "$M/$q" || fail "mkdir $q"
put $q/base 0x100000
put $q/log2size 8
put $q/enable 1
for slot in 0 1 2 3; do
    same "a command" "$("$IO" pwrite $q/entries $((slot * 16)) 46)" ok
done

same "the page's size" "$(stat -c %s "$M/$q/page")" 4096
same "the page" "$("$IO" pread $q/page 0 24)" 000000000000000001000000010000000000000000000000
same "a store to PROD" "$("$IO" pwrite $q/page 4 01000000)" ok
eq $q/prod 0x00000001

cons_is() {
    [ "$(cat "$M/$q/cons")" = "$1" ]
}
page_is() {
    [ "$("$IO" pread $q/page 0 24)" = "$1" ]
}

# What is written goes past the daemon where the page can be mapped, and the engine sees it a little later.
wait_for 10 cons_is 0x00000001 || fail "the engine did not see PROD: CONS is $(cat "$M/$q/cons")"
page=010000000100000001000000010000000000000000000000
same "the page" "$("$IO" pread $q/page 0 24)" $page
# The device's own words are stored again.
same "a store to CONS" "$("$IO" pwrite $q/page 0 ffff0000)" ok
wait_for 10 page_is $page || fail "CONS was not stored again: $("$IO" pread $q/page 0 24)"
same "a store to STATUS" "$("$IO" pwrite $q/page 12 00000000)" ok
wait_for 10 page_is $page || fail "STATUS was not stored again: $("$IO" pread $q/page 0 24)"
put $q/prod 2
same "the page" "$("$IO" pread $q/page 0 8)" 0200000002000000

# An open page holds its queue.
exec 3<"$M/$q/page"
rmdir "$M/$q" 2>/dev/null && fail "a queue whose page is open was removed"
rmdir "$M/$d" 2>/dev/null && fail "a device with a queue whose page is open was removed"
exec 3<&-

# Through a mapping, where the mount can do that.
got=$("$IO" mmap-store $q/page 4 03000000)
if [ "$got" != ENODEV ]; then
    same "a store through a mapping" "$got" ok
    wait_for 10 cons_is 0x00000003 || fail "the engine did not see PROD: CONS is $(cat "$M/$q/cons")"
    eq $q/prod 0x00000003
    same "a load through a mapping" "$("$IO" mmap-load $q/page 0 8)" 0300000003000000
    # A bad command, its repair and its acknowledgement, as a guest does it.
    same "a command" "$("$IO" pwrite $q/entries 0x30 3000000000000000)" ok
    same "a store through a mapping" "$("$IO" mmap-store $q/page 4 04000000)" ok
    wait_for 10 cons_is 0x01000003 || fail "no error: CONS is $(cat "$M/$q/cons")"
    same "a command" "$("$IO" pwrite $q/entries 0x30 4600000000000000)" ok
    same "an acknowledgement" "$("$IO" mmap-store $q/page 0x14 01000000)" ok
    wait_for 10 cons_is 0x00000004 || fail "no recovery: CONS is $(cat "$M/$q/cons")"
fi

# Commands stored through a mapping of the ring are there when the page's PROD announces them.
if [ "$got" != ENODEV ]; then
    exec 4<>"$M/$q/entries"
    same "a command stored in the ring" "$("$IO" mmap-store $q/entries 0x40 4600000000000000)" ok
    same "the ring as the device has it" "$("$IO" pread $d/memory 0x40 8)" 4600000000000000
    same "a store through a mapping" "$("$IO" mmap-store $q/page 4 05000000)" ok
    wait_for 10 cons_is 0x00000005 || fail "the ring was not written back: CONS is $(cat "$M/$q/cons")"
    exec 4<&-
fi

# The VINTF's page, as drivers map it: queue 0 at its begin, queue 1 at 0x80.
same "the VINTF's page" "$(stat -c %s "$M/$d/vintf/page0")" 65536
same "commands" "$("$IO" pwrite $q/entries 0x50 46000000000000000000000000000000)" ok
same "the page" "$("$IO" pread $d/vintf/page0 0xc 4)" 01000000
if [ "$got" != ENODEV ]; then
    cons=$(cat "$M/$q/cons")
    exec 4<>"$M/$d/vintf/page0"
    rmdir "$M/$d" 2>/dev/null && fail "a device whose VINTF is mapped was removed"
    same "a store through a mapping" "$("$IO" mmap-store $d/vintf/page0 4 06000000)" ok
    wait_for 10 cons_is 0x00000006 || fail "the engine did not see PROD: CONS is $(cat "$M/$q/cons"), was $cons"
    same "the queue's own page" "$("$IO" pread $q/page 0 8)" 0600000006000000
    same "a load through a mapping" "$("$IO" mmap-load $d/vintf/page0 0 8)" 0600000006000000
    exec 4<&-
    put $q/config 0
    put $q/cons 5
    put $q/prod 5
    put $q/config 1
fi

# A state has seen what was stored to a page that nobody has looked at for some time; one of the daemon's own looks
# may come first, so that it takes several tries to see one that has not.
if [ "$got" != ENODEV ]; then
    sync=46000000000000000000000000000000
    same "more commands" "$("$IO" pwrite $q/entries 0x50 $sync$sync$sync$sync)" ok
    exec 4<>"$M/$q/page"
    for prod in 6 7 8 9; do
        sleep 0.2
        "$IO" mmap-store $q/page 4 0${prod}000000 >"$T/stored"
        cp "$M/$d/state" "$T/state" || fail "a copy of the state"
        same "CONS of a state" "$(sed -n '/queues\/0\]/,/^\[/s/^cons = //p' "$T/state")" \
            "$(sed -n '/queues\/0\]/,/^\[/s/^prod = //p' "$T/state")"
    done
    exec 4<&-
fi

# The window: VCMDQ page 0 and 1, the VINTF's pages, the global page.
same "the window's size" "$(stat -c %s "$M/$d/regs")" $((0x50000))
cons=$("$IO" pread $q/page 0 4)
same "CONS of the VCMDQ" "$("$IO" pread $d/regs 0x10000 4)" "$cons"
same "CONS of the VINTF's queue" "$("$IO" pread $d/regs 0x30000 4)" "$cons"
same "BASE" "$("$IO" pread $d/regs 0x20000 8)" 0800100000000000
same "BASE" "$("$IO" pread $d/regs 0x40000 8)" 0800100000000000
same "PARAM" "$("$IO" pread $d/regs 4 4)" 11400000
same "CMDQ_ALLOC" "$("$IO" pread $d/regs 0x200 8)" 0100000000000000
same "the VINTF's CONFIG and STATUS" "$("$IO" pread $d/regs 0x1000 8)" 0100000001000200
same "a narrow access" "$("$IO" pread $d/regs 0x10000 2)" EOPNOTSUPP
same "a misaligned access" "$("$IO" pread $d/regs 0x10002 4)" EOPNOTSUPP
same "an access to nothing" "$("$IO" pread $d/regs 0x10080 4)" 00000000
put $d/vintf/config 0x20001
same "HYP_OWN in a guest" "$("$IO" pread $d/regs 0x1000 4)" 01000000
put $d/vintf/config 1
same "stopping through the window" "$("$IO" pwrite $d/regs 0x30008 00000000)" ok
eq $q/status 0x00000000
same "the page" "$("$IO" pread $q/page 8 8)" 0000000000000000
same "a new ring" "$("$IO" pwrite $d/regs 0x40000 0400100000000000)" ok
eq $q/log2size 4
eq $q/enable 0
same "PROD" "$("$IO" pwrite $d/regs 0x30004 00000000)" ok
same "starting through the window" "$("$IO" pwrite $d/regs 0x30008 01000000)" ok
eq $q/enable 1
eq $q/status 0x00000001
# A second queue, made by the guest
same "CMDQ_ALLOC of queue 1" "$("$IO" pwrite $d/regs 0x204 03000000)" ok
[ -d "$M/$d/queues/1" ] || fail "CMDQ_ALLOC made no queue"
same "BASE of queue 1" "$("$IO" pwrite $d/regs 0x40080 0400900000000000)" ok
same "starting queue 1" "$("$IO" pwrite $d/regs 0x30088 01000000)" ok
eq $d/queues/1/gerror 0x00000004
eq $d/vintf/err_map 0x0000000000000002
eq $d/interrupt 1
same "VINTF_INT_MASK" "$("$IO" pwrite $d/regs 0x1c 01000000)" ok
eq $d/interrupt 0
