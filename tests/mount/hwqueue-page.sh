#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A queue's page: the same registers as the files, kept by the daemon, and a page that holds its queue while it is
# open.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hwqueue-page-lib.sh"

same "the page's size" "$(stat -c %s "$M/$q/page")" 4096
same "the page" "$("$IO" pread $q/page 0 24)" 000000000000000001000000010000000000000000000000
same "a store to PROD" "$("$IO" pwrite $q/page 4 01000000)" ok
eq $q/prod 0x00000001

page_is() {
    [ "$("$IO" pread $q/page 0 24)" = "$1" ]
}

# Writes bypass the daemon where the page can be mapped, and the engine sees them a little later.
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

# The VINTF's page, as drivers map it: queue 0 at its begin, queue 1 at 0x80.
same "the VINTF's page" "$(stat -c %s "$M/$d/vintf/page0")" 65536
same "commands" "$("$IO" pwrite $q/entries 0x50 46000000000000000000000000000000)" ok
same "the page" "$("$IO" pread $d/vintf/page0 0xc 4)" 01000000
