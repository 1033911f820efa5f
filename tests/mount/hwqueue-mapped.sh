#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Mapped pages and rings of a queue: the engine sees what is stored, and a state too.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hwqueue-page-lib.sh"

got=$("$IO" mmap-store $q/page 4 03000000)
[ "$got" != ENODEV ] || skip "files cannot be mapped here"

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

# Commands stored through a mapping of the ring are there when the page's PROD announces them.
exec 4<>"$M/$q/entries"
same "a command stored in the ring" "$("$IO" mmap-store $q/entries 0x40 4600000000000000)" ok
same "the ring as the device has it" "$("$IO" pread $d/memory 0x40 8)" 4600000000000000
same "a store through a mapping" "$("$IO" mmap-store $q/page 4 05000000)" ok
wait_for 10 cons_is 0x00000005 || fail "the ring was not written back: CONS is $(cat "$M/$q/cons")"
exec 4<&-

# The VINTF's page, as drivers map it: queue 0 at its begin.
same "commands" "$("$IO" pwrite $q/entries 0x50 46000000000000000000000000000000)" ok
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

# A state has seen what was stored to a page that the daemon looks at seldom, as after some time without a store; one
# of the daemon's own looks may come first, so that it takes several tries to see one that has not.
looks_seldom() {
    looks=$(cat "$M/engine/polls")
    [ "$(cat "$M/engine/polls")" = "$looks" ]
}
sync=46000000000000000000000000000000
same "more commands" "$("$IO" pwrite $q/entries 0x50 $sync$sync$sync$sync)" ok
exec 4<>"$M/$q/page"
for prod in 6 7 8 9; do
    wait_for 10 looks_seldom || fail "the daemon looks at the page all the time"
    "$IO" mmap-store $q/page 4 0${prod}000000 >"$T/stored"
    cp "$M/$d/state" "$T/state" || fail "a copy of the state"
    same "CONS of a state" "$(sed -n '/queues\/0\]/,/^\[/s/^cons = //p' "$T/state")" \
        "$(sed -n '/queues\/0\]/,/^\[/s/^prod = //p' "$T/state")"
done
exec 4<&-
