#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Cached values and names are current after each kind of change.
. "$(dirname "$0")/lib.sh"

# Read until the kernel has cached it.
warm() {
    for _ in 1 2 3; do
        cat "$@" >/dev/null || fail "cat $*"
    done
}

mount_fs -o cache=always
cd "$M/aplic/aplic0" || fail "cd"
warm target/1 target/2 domaincfg wire/3 sourcecfg/3 in_clrip/0 setip/0 setie/0

# By its own file, by the window, by what it does to other registers, by a state.
put aplic/aplic0/target/1 7
eq aplic/aplic0/target/1 0x00000007
"$IO" pwrite "$M/aplic/aplic0/regs" 0x3008 09000000 >/dev/null
eq aplic/aplic0/target/2 0x00000009
put aplic/aplic0/sourcecfg/3 6
put aplic/aplic0/wire/3 1
eq aplic/aplic0/wire/3 1
eq aplic/aplic0/in_clrip/0 0x00000008
eq aplic/aplic0/setip/0 0x00000008
cp state "$T/saved"
put aplic/aplic0/wire/3 0
put aplic/aplic0/target/1 8
warm target/1 wire/3
cp "$T/saved" state || fail "cp saved state"
eq aplic/aplic0/target/1 0x00000007
eq aplic/aplic0/wire/3 1

# The time of the last change moves with it, and only with it.
before=$(stat -c %y target/1)
put aplic/aplic0/target/2 5
same "mtime" "$(stat -c %y target/1)" "$before"
put aplic/aplic0/target/1 5
[ "$(stat -c %y target/1)" != "$before" ] || fail "mtime did not move"

# poll(2) reports a change, also after a cached value was read.
warm target/4
got=$("$IO" poll "$M/aplic/aplic0/target/4" pri 10000 sh -c "echo 3 >'$M/aplic/aplic0/target/4'")
same "poll of a kept value" "$got" pri
eq aplic/aplic0/target/4 0x00000003

# Names come and go: by init, by another type, by mkdir and rmdir, by a state.
mkdir "$M/aplic/other"
absent aplic/other/domaincfg
put aplic/other/aia/srcs 8
put aplic/other/addr/aplic 0xd000000
put aplic/other/addr/imsic/0 0x28000000
put aplic/other/init 1
warm "$M/aplic/other/domaincfg" "$M/aplic/other/target/8"
cd "$M/hwqueue/smmu0" || fail "cd"
warm vintf/config global/config
put hwqueue/smmu0/type amd
absent hwqueue/smmu0/vintf/config
warm queues/cmd/head
put hwqueue/smmu0/type tegra241-cmdqv
absent hwqueue/smmu0/queues/cmd/head
warm vintf/config
cd / || fail "cd"
exec 5<"$M/aplic/other/wire/1"
cat <&5 >/dev/null
rmdir "$M/aplic/other"
absent aplic/other/domaincfg
dd bs=64 count=1 <&5 2>&1 | grep -q 'No such device' || fail "what was removed can be read"
exec 5<&-
cp "$M/state" "$T/all"
mkdir "$M/aplic/third"
warm "$M/aplic/third/wire/1"
cp "$T/all" "$M/state" || fail "cp all state"
absent aplic/third/wire/1
absent aplic/third
mkdir "$M/aplic/third" || fail "mkdir again"
