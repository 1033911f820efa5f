#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Messages of a vhost-user front end that break the rules: a message that cannot be carried out is refused with a
# line in errors, a header that cannot be understood ends the connection, and the next front end is served.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"
. "$(dirname "$0")/vhost-hostile-lib.sh"

# Headers: version, direction, numbers, sizes; what was not negotiated.
closed EPROTO "flags 0x0" raw 1 0 -
closed EPROTO "flags 0x2" raw 1 2 -
closed EPROTO "flags 0x5" raw 1 5 -
bad EOPNOTSUPP "request 0" raw 0 1 -
bad EOPNOTSUPP "request 6 " raw 6 1 00
bad EOPNOTSUPP "request 4294967295" raw 0xffffffff 1 -
bad EPROTO "payload of 8 bytes: 0 to 0" raw 1 1 0000000000000000
bad EPROTO "payload of 7 bytes: 8 to 8" raw 2 1 00000000000000
vhe ok connect
vhe ok bytes 0500000001000000ffffffff
vhe closed config 0 4
reported EPROTO "payload of 4294967295 bytes: 512 at most"
vhe ok close
bad EPROTO "protocol feature 0x200" raw 24 1 000000000400000000000000
bad EPROTO "protocol feature 0x1," raw 17 1 -
bad EPROTO "1 descriptors: 0" raw 3 1 - 1
bad EPROTO "more than 8 descriptors" raw 5 1 0000000000000000 9
bad EPROTO "more than 8 descriptors" raw 5 1 0000000000000000 32

# Cut off in mid-message.
cut_off() {
    [ "$(grep -c mid-message "$M/errors")" = "$1" ]
}

cut=0
for part in 01 0100000001000000 0500000001000000080000 020000000100000008000000ff; do
    vhe ok connect
    vhe ok bytes $part
    vhe ok close
    cut=$((cut + 1))
    wait_for 10 cut_off $cut ||
        fail "no line about the message that was cut off after $part"
done

# Values.
bad EINVAL "features 0x0000002000000000" raw 2 1 0000000020000000
bad EINVAL "0x0000000000100000" raw 16 1 0000100000000000
given=negotiate
bad EINVAL "ring 64: there are 64" raw 8 1 4000000040000000
bad EINVAL "ring 4294967295" raw 11 1 ffffffff00000000
bad EINVAL "of 3 entries" raw 8 1 0000000003000000
bad EINVAL "of 0 entries" raw 8 1 0000000000000000
bad EINVAL "of 2048 entries" raw 8 1 0000000000080000
bad EINVAL "base 65536" raw 10 1 0000000000000100
bad EINVAL "enable 2" raw 18 1 0000000002000000
bad EINVAL "flags 0x1" raw 9 1 \
    00000000010000000000000000000000000000000000000000000000000000000000000000000000
bad EINVAL "257 bytes of configuration" raw 24 1 000000000101000000000000
bad EINVAL "bytes of configuration at 4294967295" raw 24 1 ffffffff0200000000000000ffff
bad EPROTO "4 bytes of configuration in a message of 12" raw 24 1 000000000400000000000000

no_descriptor_is_left
