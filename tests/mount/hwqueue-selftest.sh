#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What iommufd's own selftests ask of HW queues, vIOMMUs and vEVENTQs, of the model of their mock IOMMU.
# With VDF_MOCK set, of the mock itself, on a kernel that has it: the same answers.
. "$(dirname "$0")/lib.sh"

mount_fs -o empty
d=hwqueue/q
page=4096

answers() {
    vdf_want=$1
    shift
    vdf_said=$(LC_ALL=C "$@" 2>&1) && fail "$* succeeded"
    case $vdf_said in
    *"$vdf_want"*) ;;
    *) fail "$*: $vdf_said, not $vdf_want" ;;
    esac
}

# device: a new one, with three queues that are not enabled.
device() {
    mkdir "$M/$d" || fail "mkdir $d"
    put $d/type selftest
    if [ -n "${VDF_MOCK:-}" ]; then
        put $d/host mock
        put $d/backend iommufd
    fi
    for n in 0 1 2; do
        mkdir "$M/$d/queues/$n" || fail "mkdir queues/$n"
    done
}

# queue N IOVA LENGTH: what queue N is to be.
queue() {
    put $d/queues/"$1"/base "$2"
    put $d/queues/"$1"/length "$3"
}

# events BYTES WORDS: what one read of at most so many bytes gives, as words of 32 bits.
events() {
    vdf_words=$("$IO" read $d/veventq "$1" | od -An -v -tx4 --endian=little | tr -s ' \n' ' ')
    same "the events" "${vdf_words% }" " $2"
}

if [ -n "${VDF_MOCK:-}" ] && [ ! -e /dev/iommu ]; then
    skip "this kernel has no iommufd"
fi
device
eq $d/type selftest
eq $d/hw_info "type = 0xfeedbeef
flags = 0x00000000
test_reg = 0xdeadbeef"
absent $d/vintf
absent $d/regs
absent $d/queues/0/prod
answers "Invalid argument" mkdir "$M/$d/queues/4"
refuse EBUSY $d/type amd
refuse EBUSY $d/viommu_data 1

# --- HW_QUEUE_ALLOC ---
# Types, lengths and addresses, before anything is mapped.
queue 0 0x2000000 $page
put $d/queues/0/queue_type 0
refuse EOPNOTSUPP $d/queues/0/enable 1
put $d/queues/0/queue_type 1
refuse EOPNOTSUPP $d/queues/0/enable 1
put $d/queues/0/length 0
refuse EINVAL $d/queues/0/enable 1
put $d/queues/0/queue_type 0
refuse EOPNOTSUPP $d/queues/0/enable 1
put $d/queues/0/queue_type 0xdeadbeef
refuse EINVAL $d/queues/0/enable 1
queue 0 0xffffffffffffffff $page
refuse EOVERFLOW $d/queues/0/enable 1
queue 0 1 0xffffffffffffffff
refuse ERANGE $d/queues/0/enable 1
queue 0 0x2000000 $page
refuse ENOENT $d/queues/0/enable 1

# Mappings: in the mock's aperture, each once, of the memory that there is.
refuse EINVAL $d/ioas/map "0x1000 $page"
refuse EINVAL $d/ioas/map "0x80000000 $page"
refuse EINVAL $d/ioas/map "0x7ffff000 0x2000"
refuse EINVAL $d/ioas/map "0x2000001 $page"
refuse EINVAL $d/ioas/map "0x2000000 0"
refuse EINVAL $d/ioas/map "0x2000000 1"
refuse EOVERFLOW $d/ioas/map "0xffffffffffffffff $page"
refuse EOVERFLOW $d/ioas/map "0xfffffffffffff000 0x2000"
refuse EFAULT $d/ioas/map "0x2000000 $page 0x200000"
refuse EFAULT $d/ioas/map "0x2000000 0x200000 0x1000"
put $d/ioas/map "0x2000000 0x4000"
refuse EEXIST $d/ioas/map "0x2003000 0x1000"
refuse EEXIST $d/ioas/map "0x2003000 0x1000 0x200000"
refuse EINVAL $d/ioas/map "0x2004000 0x1000 1"
eq $d/ioas/mappings "0x2000000 0x4000 0x0"

# The order of the queues, the number of them, one of each number.
queue 1 0x2001000 $page
refuse EIO $d/queues/1/enable 1
queue 2 0x2001000 $page
refuse EINVAL $d/queues/2/enable 1
queue 1 0x2003000 0x2000
refuse ENOENT $d/queues/1/enable 1
queue 1 0x2001000 $page
put $d/queues/0/enable 1
eq $d/queues/0/enable 1
answers "File exists" mkdir "$M/$d/queues/0"
refuse EBUSY $d/queues/0/base 0x2001000
refuse EBUSY $d/queues/0/length 1
refuse EBUSY $d/queues/0/queue_type 1

# Its memory stays while the queue is there, whatever else goes.
refuse EBUSY $d/ioas/unmap "0x2000000 0x4000"
refuse EBUSY $d/ioas/unmap "0x2000000 $page"
refuse EBUSY $d/ioas/unmap "0 0xffffffffffffffff"
put $d/ioas/map "0x1ffe000 0x2000"
refuse EBUSY $d/ioas/unmap "0x1ffe000 0x6000"
eq $d/ioas/mappings "0x1ffe000 0x2000 0x0
0x2000000 0x4000 0x0"
put $d/ioas/unmap "0x1ffe000 0x2000"
refuse ENOENT $d/ioas/unmap "0x1ffe000 0x2000"
refuse EOVERFLOW $d/ioas/unmap "0xffffffffffffffff 1"
refuse EOVERFLOW $d/ioas/unmap "0x2000 0xfffffffffffffffe"
refuse EINVAL $d/ioas/unmap "0x2000 0"
put $d/queues/1/enable 1
refuse EBUSY $d/queues/0/enable 0
answers "busy" rmdir "$M/$d/queues/0"
eq $d/queues/0/enable 1
put $d/queues/1/enable 0
put $d/queues/0/enable 0
put $d/queues/0/enable 1
rmdir "$M/$d/queues/0" || fail "rmdir queues/0"
rmdir "$M/$d/queues/1" || fail "rmdir queues/1"
refuse ENOENT $d/ioas/unmap "0x2000000 $page"
put $d/ioas/unmap "0x2000000 0x4000"
eq $d/ioas/mappings ""

# A queue of two pages wants them one after the other; the mock's own are smaller than a page.
# The mock of Linux 7.2 does not free number 1 with its queue: the device is another.
rmdir "$M/$d" || fail "rmdir $d"
device
queue 1 0x2001000 $page
put $d/ioas/map "0x2000000 0x1000 0x8000"
put $d/ioas/map "0x2001000 0x1000 0x3000"
queue 0 0x2000000 0x2000
refuse EFAULT $d/queues/0/enable 1
queue 0 0x2000800 0x1000
refuse EFAULT $d/queues/0/enable 1
queue 0 0x2000800 0x800
put $d/queues/0/enable 1
refuse EINVAL $d/ioas/map "0x3000800 0x800"
put $d/queues/0/enable 0
put $d/ioas/map "0x3000800 0x800 0x800"
refuse EADDRINUSE $d/queues/0/enable 1
put $d/ioas/unmap "0x3000800 0x800"
put $d/queues/0/enable 1

# --- the page ---
same "the first word" "$("$IO" pread $d/queues/0/page 0 4)" 3412efbe
same "a word of the next queue" "$("$IO" pread $d/queues/1/page 0 4)" 00000000
same "a store" "$("$IO" pwrite $d/queues/1/page 8 01020304)" ok
same "what was stored" "$("$IO" pread $d/queues/1/page 6 6)" 000001020304
same "the size" "$(stat -c %s "$M/$d/queues/1/page")" 4096
same "the size where there is none" "$(stat -c %s "$M/$d/queues/2/page")" 0
same "mapping it" "$("$IO" mmap-load $d/queues/0/page 0 4)" ENODEV

# --- vDEVICE and vEVENTQ ---
refuse EINVAL $d/veventq_depth 0
refuse EINVAL $d/veventq_depth 524289
put $d/veventq_depth 524288
put $d/veventq_depth 2
refuse ENOENT $d/trigger 1
mkdir "$M/$d/vdevices/0x99" || fail "mkdir vdevices/0x99"
answers "File exists" mkdir "$M/$d/vdevices/0x99"
answers "File exists" mkdir "$M/$d/vdevices/0x88"
same "no event" "$("$IO" read $d/veventq 64)" EAGAIN
same "no header" "$("$IO" read $d/veventq 7)" EINVAL
put $d/trigger 1
same "a header alone" "$("$IO" read $d/veventq 8)" EINVAL
same "less than a header" "$("$IO" read $d/veventq 7)" EINVAL
events 64 "00000000 00000000 00000099"
same "no event" "$("$IO" read $d/veventq 64)" EAGAIN
rmdir "$M/$d/vdevices/0x99" || fail "rmdir vdevices/0x99"
refuse ENOENT $d/trigger 1
mkdir "$M/$d/vdevices/0x88" || fail "mkdir vdevices/0x88"
# More than there is room for: the last is lost, and a header alone says so.
put $d/trigger 3
events 64 "00000000 00000001 00000088 00000000 00000002 00000088 00000001 00000003"
put $d/trigger 1
events 64 "00000000 00000004 00000088"
# The header goes when an event comes.
put $d/trigger 4
events 12 "00000000 00000005 00000088"
put $d/trigger 1
events 64 "00000000 00000006 00000088 00000000 00000009 00000088"
# An event wakes who waits for it, and who reads gets it.
"$IO" poll $d/veventq in 10000 sh -c "echo 1 > $M/$d/trigger" >"$T/poll"
same "poll" "$(cat "$T/poll")" in
dd if="$M/$d/veventq" bs=64 count=1 status=none >"$T/first" || fail "the event cannot be read"
same "the event" "$(od -An -tx4 --endian=little "$T/first" | tr -s ' ')" " 00000000 0000000a 00000088"
dd if="$M/$d/veventq" bs=64 count=1 status=none >"$T/first" &
reader=$!
sleep 0.3
put $d/trigger 1
wait $reader
same "what the reader got" "$(od -An -tx4 --endian=little "$T/first" | tr -s ' ')" \
    " 00000000 0000000b 00000088"

# --- state ---
put $d/trigger 1
put $d/queues/1/enable 1
printf 'hello, queue' | dd of="$M/$d/memory" seek=32768 bs=1 conv=notrunc status=none ||
    fail "the memory cannot be written"
cp "$M/$d/state" "$T/state" || fail "the state cannot be read"
cmp "$T/state" "$M/$d/state" || fail "two states without a change between them differ"

holds() {
    eq $d/ioas/mappings "0x2000000 0x1000 0x8000
0x2001000 0x1000 0x3000"
    refuse EBUSY $d/ioas/unmap "0x2001000 0x1000"
    refuse EBUSY $d/queues/0/enable 0
    same "the page" "$("$IO" pread $d/queues/1/page 6 6)" 000001020304
    same "the memory" "$(dd if="$M/$d/memory" bs=1 skip=32768 count=12 status=none)" "hello, queue"
    events 64 "00000000 0000000c 00000088"
    put $d/trigger 3
    events 64 "00000000 0000000d 00000088 00000000 0000000e 00000088 00000001 0000000f"
}

holds
put $d/queues/1/enable 0
put $d/queues/0/enable 0
put $d/ioas/unmap "0 0xffffffffffffffff"
rmdir "$M/$d/vdevices/0x88" || fail "rmdir vdevices/0x88"
printf 'other, bytes' | dd of="$M/$d/memory" seek=32768 bs=1 conv=notrunc status=none
cp "$T/state" "$M/$d/state" || fail "the state was refused: $(tail -n 1 "$M/errors")"
cmp "$T/state" "$M/$d/state" || fail "the state is another after it was restored"
holds

# A state with a queue on memory that is not contiguous changes nothing.
cp "$M/$d/state" "$T/before"
sed -e 's/^length = 2048/length = 4096/' -e 's/^checksum = .*/checksum = none/' "$T/before" >"$T/bad"
cmp -s "$T/before" "$T/bad" && fail "the state has no such line"
cp "$T/bad" "$M/$d/state" 2>/dev/null && fail "a queue on scattered memory was taken"
cmp "$T/before" "$M/$d/state" || fail "a refused state has changed something"
rmdir "$M/$d" || fail "rmdir $d"

# The other side takes the same state, and gives it back.
mkdir "$M/$d"
cp "$T/state" "$M/$d/state" || fail "the model refused the state: $(tail -n 1 "$M/errors")"
cmp "$T/state" "$M/$d/state" || fail "the model's state is another"
eq $d/backend soft
holds
