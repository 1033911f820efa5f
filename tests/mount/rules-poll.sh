#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# poll(2) and epoll(2): each event of a stream is reported, and each change of a value and of a state.
. "$(dirname "$0")/lib.sh"

mount_fs
a=aplic/aplic0

# Each edge is reported to epoll(2), a change to each of two waiters that share an open file, and a change of a
# device to waiters for its state.
same "edges of a log" "$("$IO" edges $a/msi 5 20000 sh -c "echo 5 >'$M/$a/genmsi'")" 5
same "a shared file" "$("$IO" poll-shared $a/target/1 20000 sh -c "echo 3 >'$M/$a/target/1'" | tail -n 1)" pri
same "a state" "$("$IO" poll $a/state pri 20000 sh -c "echo 4 >'$M/$a/target/1'" | tail -n 1)" pri
same "the root's state" "$("$IO" poll state pri 20000 sh -c "echo 5 >'$M/$a/target/1'" | tail -n 1)" pri
same "the root's state and a new device" "$("$IO" poll state pri 20000 mkdir "$M/gait/new" | tail -n 1)" pri
same "a state that stands still" "$("$IO" poll $a/state pri 100)" timeout
