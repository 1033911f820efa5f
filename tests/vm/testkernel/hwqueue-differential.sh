#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same random operations on the model and on the kernel's mock IOMMU: all answers and the files afterwards are
# the same. VDF_SEED repeats a run. The script needs bash for its speed.

VDF_LIMIT=300
. "$(dirname "$0")/common"

operations=${VDF_OPERATIONS:-300}
seed=${VDF_SEED:-$(($(date +%s) % 1000000))}

# The operations, a line each. Number 1 of the queues is left out: the mock of Linux 7.2 never gives it free.
awk -v n="$operations" -v seed="$seed" '
function below(k) { return int(rand() * k) }
function iova() {
    k = below(20)
    if (k == 0) return "0xfffffffffffff000"
    if (k == 1) return "0xffffffffffffffff"
    if (k == 2) return 0
    if (k == 3) return sprintf("0x%x", 0x7fff0000 + 0x1000 * below(20))
    if (k == 4) return sprintf("0x%x", 0xffe000 + 0x1000 * below(4))
    return sprintf("0x%x", 0x2000000 + (below(8) ? 0x1000 : 0x800) * below(16))
}
function bytes() {
    k = below(24)
    if (k == 0) return 0
    if (k == 1) return "0xffffffffffffffff"
    if (k == 2) return below(5000)
    if (k == 3) return "0x200000"
    return (below(10) ? 0x1000 : 0x800) * (1 + below(5))
}
BEGIN {
    srand(seed)
    for (i = 0; i < n; i++) {
        k = below(100)
        if (k < 30) {
            line = "ioas/map " iova() " " bytes()
            if (below(2)) line = line " " (below(8) ? 0x1000 : 0x400) * below(8) (below(4) ? "" : " ro")
            print line
        } else if (k < 45)
            print "ioas/unmap " (below(25) ? iova() " " bytes() : "0 0xffffffffffffffff")
        else if (k < 75) {
            q = "queues/" (below(5) ? 0 : 2) "/"
            j = below(10)
            if (j < 4) print q "enable " (below(3) ? 1 : 0)
            else if (j < 7) print q "base " iova()
            else if (j < 9) print q "length " bytes()
            else print q "queue_type " (below(4) ? "0xdeadbeef" : below(3))
        } else if (k < 90)
            print "trigger " below(4)
        else if (k < 93)
            print "veventq_depth " below(6)
        else if (k < 96)
            print "read " 8 + 4 * below(12)
        else
            print (below(2) ? "mkdir" : "rmdir") " vdevices/" below(3)
    }
}' >"$T/operations"

# answer DEVICE FILE TEXT: what became of it.
answer() {
    case $2 in
    mkdir | rmdir) answer=$("$2" "$M/hwqueue/$1/$3" 2>&1) && answer=ok ;;
    read)
        answer=$("$IO" read "hwqueue/$1/veventq" "$3" | od -An -v -tx1 | tr -d '\n')
        case $answer in
        *"45 41 47 41 49 4e 0a"*) answer=EAGAIN ;;
        esac
        ;;
    *)
        if { printf %s "$3" >"$M/hwqueue/$1/$2"; } 2>"$T/said"; then
            answer=ok
        else
            read -r answer <"$T/said"
        fi
        ;;
    esac
    # Words of the shell before the last colon name the file.
    answer=${answer##*: }
}

# drain: read all events. Those that a save, or another depth, takes from the kernel's queue leave more room
# there than in the model's.
drain() {
    for device in model mock; do
        while answer $device read 4096 && [ "$answer" != EAGAIN ]; do
            echo "$answer"
        done >"$T/events-$device"
    done
    cmp "$T/events-model" "$T/events-mock" || fail "seed $seed, operation $count: other events"
}

# whole DEVICE: its state without its name.
whole() {
    sed -e "s/^\[hwqueue\/$1/[x/" -e '/^checksum/d' "$M/hwqueue/$1/state"
}

mount_fs -o empty
for device in model mock; do
    mkdir "$M/hwqueue/$device" || fail "mkdir $device"
    put hwqueue/$device/type selftest
done
put hwqueue/mock/host mock
put hwqueue/mock/backend iommufd
mkdir "$M"/hwqueue/{model,mock}/queues/{0,2} || fail "mkdir queues"

count=0
refused=0
while read -r file text; do
    [ "$file" != veventq_depth ] || drain
    answer model "$file" "$text"
    model=$answer
    answer mock "$file" "$text"
    [ "$model" = "$answer" ] ||
        fail "seed $seed, operation $count, $file $text: the model answers '$model', the mock '$answer'"
    count=$((count + 1))
    [ "$answer" = ok ] || refused=$((refused + 1))
    [ $((count % 100)) = 0 ] || continue
    drain
    whole model >"$T/model"
    whole mock >"$T/mock"
    diff "$T/model" "$T/mock" >"$T/differ" ||
        fail "seed $seed, after operation $count: $(cat "$T/differ")"
done <"$T/operations"
[ "$count" = "$operations" ] && [ $((refused * 10)) -gt "$count" ] && [ $((refused * 10)) -lt $((count * 9)) ] ||
    fail "$count operations, of which $refused were refused"
say "seed $seed: $count operations on each side, $refused of them refused, and no answer differs"
