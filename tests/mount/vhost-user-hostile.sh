#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A vhost-user front end that breaks the rules: what cannot be carried out is refused with a line in errors,
# a header that cannot be understood ends the connection, nothing is left open, other devices do not notice,
# and the next front end is served.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vhost-lib.sh"

mount_fs
c=console/con0
pid=$(daemon_pids)

descriptors() {
    find "/proc/$pid/fd" -mindepth 1 | wc -l
}

descriptors_are() {
    [ "$(descriptors)" = "$1" ]
}

# reported ERRNO TEXT: the last line of errors.
reported() {
    case $(tail -n 1 "$M/errors") in
    "$c: $1: vhost-user: "*"$2"*) ;;
    *) same "the last line of errors" "$(tail -n 1 "$M/errors")" "$c: $1: vhost-user: ...$2..." ;;
    esac
}

# bad ERRNO TEXT WORDS...: on a new connection the command is refused, and the connection goes on. GIVEN,
# before it, are commands that are in order. closed ERRNO TEXT WORDS...: the connection is closed.
given=
prepare() {
    vhe ok connect
    for bad_given in $given; do
        case $bad_given in
        negotiate) vhe "0x* 0x* 64" negotiate ;;
        memory) vhe ok memory 16 ;;
        rings) vhe ok rings 0 7 ;;
        esac
    done
}

bad() {
    bad_errno=$1 bad_text=$2
    shift 2
    prepare
    vh "$@" >/dev/null
    vhe "????????????????" raw 15 1 -
    reported "$bad_errno" "$bad_text"
    vhe ok close
}

closed() {
    bad_errno=$1 bad_text=$2
    shift 2
    prepare
    vhe closed "$@"
    reported "$bad_errno" "$bad_text"
    vhe ok close
}

put $c/vhost_user "$S"
front
before=$(descriptors)

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

# Descriptors that are not what they should be: to read or write them could make the daemon wait.
for kind in pipe file memfd; do
    bad EINVAL "kick descriptor is no eventfd" raw 12 1 0000000000000000 1 $kind
    bad EINVAL "call descriptor is no eventfd" raw 13 1 0000000000000000 1 $kind
    bad EINVAL "error descriptor is no eventfd" raw 14 1 0000000000000000 1 $kind
    bad EINVAL "is no socket" raw 21 1 - 1 $kind
done
bad EPROTO "0 descriptors came along, 1" raw 12 1 0000000000000000
bad EPROTO "1 descriptors came along, 0" raw 13 1 0001000000000000 1
bad EINVAL "bit 8" raw 12 1 0002000000000000 1
bad EPROTO "0 descriptors: one socket" raw 21 1 -

# Memory: size GUEST SIZE USER OFFSET, little-endian.
region() {
    printf '%016x%016x%016x%016x' "$@" | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\8\7\6\5\4\3\2\1/g'
}
one=0100000000000000
two=0200000000000000
bad EACCES "cannot be mapped" memory 1 readonly
bad EINVAL "has to lie in the file" memory 1 short
bad EPROTO "1 regions with 0 descriptors" raw 5 1 "$one$(region 0 4096 0 0)"
bad EPROTO "9 regions" raw 5 1 0900000000000000 8 memfd
bad EPROTO "1 regions in a message of 8" raw 5 1 $one 1 memfd
bad EINVAL "empty, or beyond" raw 5 1 "$one$(region 0 0 0 0)" 1 memfd
bad EINVAL "empty, or beyond" raw 5 1 "$one$(region -4096 8192 0 0)" 1 memfd
bad EINVAL "empty, or beyond" raw 5 1 "$one$(region 0 8192 -4096 0)" 1 memfd
bad EINVAL "has to lie in the file" raw 5 1 "$one$(region 0 4096 0 -4096)" 1 memfd
bad EINVAL "has to lie in the file" raw 5 1 "$one$(region 0 8192 0 1044480)" 1 memfd
bad EINVAL "no file that can be mapped" raw 5 1 "$one$(region 0 4096 0 0)" 1 file
bad EINVAL "overlaps" raw 5 1 "$two$(region 0 8192 0 0)$(region 4096 4096 65536 0)" 2 memfd
bad EINVAL "overlaps" raw 5 1 "$two$(region 0 8192 0 0)$(region 65536 4096 4096 0)" 2 memfd
bad ENOENT "no region" raw 38 1 "0000000000000000$(region 0 4096 0 0)"
bad EPROTO "one is needed" raw 37 1 "0000000000000000$(region 0 4096 0 0)"

# Rings: places, and changes while they run.
given="negotiate memory"
bad EFAULT "not all are in the front end's memory" start_at 0 0
bad EFAULT "not wholly in one region" start_at 0 0x7000ffffc0
bad EINVAL "misaligned" start_at 0 0x7000000008
given="negotiate memory rings"
bad EBUSY "ring 0 is running" raw 8 1 0000000040000000
bad EBUSY "ring 0 is running" raw 10 1 0000000000000000
bad EBUSY "while ring 0 is running" raw 2 1 0000004001000000
bad EFAULT "not all are in the front end's memory" raw 5 1 "$one$(region 0 4096 0 0)" 1 memfd
bad EFAULT "not all are in the front end's memory" raw 5 1 0000000000000000

# Memory that is taken away under the rings.
attach
vhe ok cut
vhe closed tell DEVICE_READY 0xffffffff 1
reported EFAULT "has cut a file"
vhe ok close

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
wait_for 10 descriptors_are "$before" ||
    fail "$(descriptors) descriptors are open in the daemon, $before were before"
