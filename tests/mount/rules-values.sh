#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A file has one value: how values are printed and written, and which text is refused.
. "$(dirname "$0")/lib.sh"

mount_fs
d=intx/bus0/devices/d
mkdir "$M/$d" || fail "mkdir"

# Registers are padded to their width, counts decimal, choices words, empty lists empty files.
eq $d/command 0x0000
eq aplic/aplic0/domaincfg 0x80000004
eq aplic/aplic0/sourcecfg/1 0x00000000
eq $d/interrupts 0
eq $d/host_type intx
eq aplic/aplic0/pending ''
eq hwqueue/smmu0/ioas/mappings ''
eq errors ''

# Decimal, hex and binary, with white space around.
for text in 7 0x7 0x0007 0b111 '  7' '0x7  ' "	0b111 "; do
    put $d/command 0
    put $d/command "$text"
    eq $d/command 0x0007
done
printf 0x5 >"$M/$d/command" || fail "a value without a newline was refused"
eq $d/command 0x0005
printf '\n\n 0x6\n\n' >"$M/$d/command" || fail "newlines around a value were refused"
eq $d/command 0x0006

for text in '' ' ' 0x 0b 0b2 12a 0xg -1 +1 1.0 '1 2' seven 0x0x1 '7;' "$(printf '7\n8')"; do
    refuse EINVAL $d/command "$text
"
done
refuse ERANGE $d/command 65536
refuse ERANGE $d/command 0x10000
refuse ERANGE $d/command 99999999999999999999999
refuse ERANGE aplic/aplic0/sourcecfg/1 0x100000000
refuse EINVAL $d/enabled 2
refuse EINVAL $d/host_type INTX
refuse EINVAL $d/host_type 0
eq $d/command 0x0006

# O_TRUNC and truncate(2) change nothing.
: >"$M/$d/command" || fail "O_TRUNC was refused"
eq $d/command 0x0006
for size in 0 1 100; do
    truncate -s "$size" "$M/$d/command" || fail "truncate to $size was refused"
done
eq $d/command 0x0006

# An open file returns the value at the time of the open until its end.
exec 3<"$M/$d/command"
same "the first byte" "$(dd bs=1 count=1 <&3 2>/dev/null)" 0
put $d/command 0x0001
same "the rest" "$(cat <&3)" x0006
exec 3<&-
eq $d/command 0x0001

# Permissions hold for root too.
same "writing a read-only file" "$("$IO" write $d/interrupts 1)" EACCES
same "reading a write-only file" "$("$IO" read $d/ack)" EACCES
same "writing version" "$("$IO" write version 1)" EACCES

# poll(2) with POLLPRI wakes on a change, of this value only.
put $d/enabled 1
same "POLLPRI on a change" "$("$IO" poll $d/guest_level pri 20000 "$IO" write $d/assert 1 |
    tail -n 1)" pri
same "POLLPRI without one" "$("$IO" poll $d/guest_level pri 100)" timeout
same "POLLPRI on another's change" "$("$IO" poll $d/line pri 100 "$IO" write $d/ack 1 |
    tail -n 1)" timeout
put $d/assert 0
put $d/ack 1

# The text that a file prints can be written back to it, and the file prints the same again. Some files take a
# value at another time only. Of wide ranges the first numbers are tested.
find "$M" -type f -perm 644 ! -regex '.*/[0-9][0-9]+\(/.*\)?' ! -name state ! -name errors \
    ! -name data ! -name guest ! -name regs ! -name memory ! -name table ! -name sbv ! -name page \
    ! -name config >"$T/files"
[ "$(wc -l <"$T/files")" -gt 100 ] || fail "only $(wc -l <"$T/files") files to write"
while IFS= read -r file; do
    path=${file#"$M"/}
    value=$(cat "$file") || fail "$path cannot be read"
    [ -n "$value" ] || continue
    case $("$IO" write "$path" "$value") in
    ok | EBUSY) ;;
    *) fail "$path: '$value' cannot be written back: $(tail -n 1 "$M/errors")" ;;
    esac
    same "$path, written back" "$(cat "$file")" "$value"
done <"$T/files"
