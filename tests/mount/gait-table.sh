#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The table and the summary vector as bytes, and entries with invalid content.
. "$(dirname "$0")/lib.sh"

mount_fs
g=gait/gait0
vm=$g/guests/vm
f=$g/functions/f

same "the number of entries" "$(ls "$M/$g/entries" | wc -l)" 512
absent $g/entries/512
same "the size of the table" "$(wc -c <"$M/$g/table")" 8192
same "the size of the vector" "$(stat -c %s "$M/$g/sbv")" 64
same "the bytes of the vector" "$(wc -c <"$M/$g/sbv")" 64

# An entry's files and its bytes show the same values.
e=$g/entries/511
put $e/gisa 0x01020304
put $e/gisc 7
put $e/count 255
put $e/aisbo 63
put $e/aisb 0x1122334455667788
same "an entry's bytes" "$("$IO" pread $g/table 8176 16)" 0102030407ff003f1122334455667788
same "writing bytes" "$("$IO" pwrite $g/table 0x1ff4 00)" ok
same "writing bytes" "$("$IO" pwrite $g/table 0x1ff8 fedcba9876543210)" ok
eq $e/gisc 0
eq $e/aisb 0xfedcba9876543210
refuse EINVAL $e/gisc 8
refuse EINVAL $e/aisbo 64
refuse ERANGE $e/count 256
refuse ERANGE $e/gisa 0x100000000
refuse ERANGE $e/aisb 0x10000000000000000

put $g/enabled 1
eq $e/count 0
mkdir "$M/$vm" "$M/$f" || fail "mkdir failed"
put $f/guest vm
put $f/ibv 0x1000
put $f/sb 0x2000
put $f/registered 1

# Through a mapping, where the mount supports it.
got=$("$IO" mmap-store $g/table 4 05)
if [ "$got" != ENODEV ]; then
    same "a store to the mapped table" "$got" ok
    eq $g/entries/0/gisc 5
    same "a load" "$("$IO" mmap-load $g/table 0 8)" 0100000005010000
    same "a store to the mapped vector" "$("$IO" mmap-store $g/sbv 0 40)" ok
    same "the vector" "$("$IO" pread $g/sbv 0 2)" 4000
    put $f/signal 0
    eq $vm/ipm 0x04
    same "a load from mapped memory" "$("$IO" mmap-load $vm/memory 0x1000 1)" 80
    same "a load from mapped memory" "$("$IO" mmap-load $vm/memory 0x2000 1)" 80
    same "a store to mapped memory" "$("$IO" mmap-store $vm/memory 0x1000 0000000000000000)" ok
    eq $f/aibv ""
    same "clearing the vector" "$("$IO" pwrite $g/sbv 0 00)" ok
else
    skip_part "mapped files: this mount has none"
fi
put $g/entries/0/gisc 0

# said WORD: the last line of errors is about the table.
said() {
    vdf_got=$(tail -n 1 "$M/errors")
    case $vdf_got in
    *gait0*entries/0*"$1"*) ;;
    *) fail "errors says: $vdf_got" ;;
    esac
}

# A GISA of no guest: the host forwards the event. A word outside of the guests: the event is dropped.
put $vm/ipm 0
put $g/entries/0/gisa 0x02000000
put $f/signal 0
said gisa
eq $vm/ipm 0x80
forwarded=$(cat "$M/$g/aen_forward")
dropped=$(cat "$M/$g/dropped")
for word in 1 0x2000 0x100100000 0x1000ffff9 0x200000000 0xffffffffffffffff; do
    put $g/entries/0/aisb $word
    put $f/signal 0
    said dropped
    dropped=$((dropped + 1))
    eq $g/dropped $dropped
done
eq $g/aen_forward "$forwarded"
put $g/entries/0/aisb 0x100002000
same "a wrong number in the table" "$("$IO" pwrite $g/table 7 ff)" ok
put $f/signal 0
said aisbo
same "a wrong number in the table" "$("$IO" pwrite $g/table 4 08)" ok
same "a right number in the table" "$("$IO" pwrite $g/table 7 3f)" ok
put $f/signal 0
said gisc
put $g/entries/0/gisc 1
put $g/entries/0/gisa 0x01000000
put $vm/ipm 0
put $f/signal 0
eq $vm/ipm 0x40
same "the summary word" "$("$IO" pread $vm/memory 0x2007 1)" 01

# With random bytes everywhere each event still gets an answer.
head -c 8192 /dev/urandom >"$T/noise"
dd if="$T/noise" of="$M/$g/table" bs=8192 conv=notrunc 2>/dev/null || fail "dd to the table failed"
cmp "$T/noise" "$M/$g/table" || fail "the table is not what was written"
dd if="$T/noise" of="$M/$g/sbv" bs=64 count=1 conv=notrunc 2>/dev/null || fail "dd to the vector failed"
put $f/signal 63
put $f/registered 0
put $g/enabled 0
