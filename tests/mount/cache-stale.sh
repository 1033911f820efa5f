#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel caches values for readers. A read that begins after a change was acknowledged never returns an older
# value, with writers, readers and a guest on both processors, over both transports. A read that changes something
# acknowledges that change. No value is a mixture of two others.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

STALE=$(dirname "$IO")/stale
seconds=3
for transport in dev auto; do
    mount_fs -o "cache=always,transport=$transport"
    say "transport=$transport is $(cat "$M/engine/transport")"
    "$STALE" "$M/aplic/aplic0" $seconds || fail "a stale value, with transport=$transport"
    # The guest counts in its memory, which the readers map.
    if [ "$("$IO" mmap-load gait/gait0/table 0 4)" = ENODEV ]; then
        skip_part "a guest among the writers: files cannot be mapped here"
    elif mkdir "$M/vm/probe" 2>/dev/null; then
        rmdir "$M/vm/probe"
        machine count long counter
        slot count 0 aplic/aplic0 0x10000000 ''
        put vm/count/run 1
        "$STALE" "$M/aplic/aplic0" $seconds "$M/vm/count/memory" ||
            fail "a stale value with a guest, with transport=$transport"
        ends count 0
    else
        skip_part "a guest among the writers: there is no KVM"
    fi
    mkdir "$M/aplic/direct"
    put aplic/direct/delivery direct
    put aplic/direct/aia/srcs 8
    put aplic/direct/init 1
    put aplic/direct/domaincfg 0x100
    put aplic/direct/sourcecfg/1 4
    put aplic/direct/target/1 1
    put aplic/direct/setienum 1
    "$STALE" claims "$M/aplic/direct" 1 || fail "a stale value after a claim, with transport=$transport"
    umount_fs
done
