#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A vhost-user driver with wrong descriptors in its rings, and front ends that ask and do not listen: the device
# asks for a reset, and other devices are served meanwhile.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"
. "$(dirname "$0")/vhost-hostile-lib.sh"

# Descriptors of the driver: the device asks for a reset, the connection stays.
for desc in "0 0x100000000 8 0 0" "0 0x100000 0xffffffff 0 0" "0 0x100000 0 0 0" "0 0x100000 8 1 0" \
    "0 0x100000 8 1 64" "0 0x100000 8 4 0" "0 0x100000 32 4 0" "0 0xffffffffffffffff 8 0 0" \
    "0 0x100000 8 2 0"; do
    attach
    # shellcheck disable=SC2086
    vhe ok desc 3 $desc
    vhe ok changed
    eq $c/status 0x4f
    case $(tail -n 1 "$M/errors") in
    *"queue 3: "*"needs a reset") ;;
    *) fail "no line about descriptor $desc: $(tail -n 1 "$M/errors")" ;;
    esac
    vhe 00000000 config 0 4
    vhe ok reset
    eq $c/status 0x00
    vhe ok close
done

# A front end that asks and does not listen, or rings without end: others are served meanwhile.
attach
vhe ok flood 1
printf hello >"$M/console/con0/ports/0/data"
eq $c/driver vhost-user
eq aplic/aplic0/harts 2
vhe ok close
attach
vhe ok tell DEVICE_READY 0xffffffff 1
vhe "PORT_ADD 0 1" hear
vhe ok jam 5
mkdir "$M/$c/ports/1"
i=0
while [ $i -lt 200 ]; do
    vhe 1 send 1 x
    i=$((i + 1))
done
eq $c/ports/1/bytes_discarded 200
eq aplic/aplic0/harts 2
vhe ok close

no_descriptor_is_left
