#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The files answer as Linux's KVM did: each operation of traces/*.expected that has a file is done through
# the mount, and its answer has to be the same.
#
# A line is "OPERATION => ANSWER". vm V... makes a machine with vCPUs of these ids and dev its device;
# set, get, fault and flags are attribute calls (group, attribute, value), w and r those of the APLIC's
# registers, iw and ir those of the IMSICs'; irq is KVM_IRQ_LINE, msi KVM_SIGNAL_MSI, gl and gs are
# loads and stores of the guest (vCPU, width, address, value).
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/aplic-lib.sh"

traces=$(cd "$(dirname "$0")" && pwd)/traces
D=aplic/trace
replayed=0
fileless=0

# hart_of ID: the number of the vCPU with this id; nothing when there is none.
hart_of() {
    hart=0
    for id in $vcpus; do
        if [ "$id" = "$1" ]; then
            echo "$hart"
            return
        fi
        hart=$((hart + 1))
    done
}

# hex TEXT: a number without leading zeros. No arithmetic: the shell's has 63 bits.
hex() {
    case $1 in
    0x*)
        digits=${1#0x}
        while [ "${digits#0?}" != "$digits" ]; do
            digits=${digits#0}
        done
        printf '0x%s\n' "$digits"
        ;;
    [0-9]*) printf '0x%x\n' "$1" ;;
    *) printf '%s\n' "$1" ;;
    esac
}

reverse_bytes() {
    sed 's/^\(..\)\(..\)\(..\)\(..\)$/\4\3\2\1/'
}

# le32 VALUE: the bytes of a 32-bit store.
le32() {
    printf '%08x\n' "$(($1 & 0xffffffff))" | reverse_bytes
}

# answer TEXT: the answer of vdfio, as the traces write it.
answer() {
    case $1 in
    ok) echo 0 ;;
    E*) echo "-$1" ;;
    *) hex "0x$(echo "$1" | reverse_bytes)" ;;
    esac
}

count() {
    echo $#
}

value_of() {
    hex "$(cat "$M/$1")"
}

# An operation without a file.
no_file() {
    fileless=$((fileless + 1))
    got=
}

config_file() {
    case $1 in
    0) echo aia/mode ;;
    1) echo aia/ids ;;
    2) echo aia/srcs ;;
    3) echo aia/group_bits ;;
    4) echo aia/group_shift ;;
    5) echo aia/hart_bits ;;
    6) echo aia/guest_bits ;;
    esac
}

# attribute GROUP NUMBER: the file of an attribute; nothing when there is none.
attribute() {
    case $1 in
    0) config_file "$2" ;;
    1) if [ "$2" = 0 ]; then echo addr/aplic; else echo "addr/imsic/$(($2 - 1))"; fi ;;
    2) if [ "$2" = 0 ]; then echo init; fi ;;
    esac
}

# imsic ID ISELECT: the file of an interrupt file's register; nothing when there is none.
imsic() {
    hart=$(hart_of "$1")
    [ -n "$hart" ] || return
    select=$(($2))
    if [ "$select" = 112 ]; then
        echo "imsic/$hart/eidelivery"
    elif [ "$select" = 114 ]; then
        echo "imsic/$hart/eithreshold"
    elif [ "$select" -ge 128 ] && [ "$select" -lt 192 ]; then
        echo "imsic/$hart/eip/$((select - 128))"
    elif [ "$select" -ge 192 ] && [ "$select" -lt 256 ]; then
        echo "imsic/$hart/eie/$((select - 192))"
    fi
}

# store FILE TEXT, load FILE: set $got; without the file there is no such operation.
store() {
    if [ -z "$1" ] || [ ! -e "$M/$D/$1" ]; then
        no_file
        return
    fi
    got=$(answer "$("$IO" write "$D/$1" "$2")")
}

load() {
    # An attribute that cannot be read is a write-only file, to root too.
    if [ -z "$1" ] || [ "$1" = init ] || [ ! -e "$M/$D/$1" ]; then
        no_file
        return
    fi
    got=$(value_of "$D/$1")
}

# A guest's access to the control region is done through `regs`; elsewhere it is not the APLIC's.
guest() {
    aplic=$(($(cat "$M/$D/addr/aplic" 2>/dev/null || echo 0)))
    offset=$(($3 - aplic))
    if [ "$2" != 4 ] || [ "$offset" -lt 0 ] || [ "$offset" -ge 16384 ]; then
        return 1
    fi
    if [ -n "${4:-}" ]; then
        got=$(answer "$("$IO" pwrite "$D/regs" "$offset" "$(le32 "$4")")")
        [ "$got" != 0 ] || got="in-kernel ok, a1=$(hex "$4")"
    else
        got=$(answer "$("$IO" pread "$D/regs" "$offset" 4)")
        case $got in
        0x*) got="in-kernel ok, a1=$got" ;;
        esac
    fi
    # An access where no register is leaves the kernel.
    case $got in
    -E*) case $wanted in EXIT_MMIO*) got=$wanted ;; esac ;;
    esac
}

# replay TRACE
replay() {
    exec 3<"$1"
    vcpus=
    created=
    ran=
    while IFS= read -r line <&3; do
        case $line in
        '#'* | '') continue ;;
        esac
        wanted=${line#* => }
        wanted=${wanted#ret }
        # shellcheck disable=SC2086
        set -- ${line%% => *}
        op=$1
        shift
        got=$wanted
        case $op in
        vm)
            [ -z "$created" ] || rmdir "$M/$D" || fail "rmdir $D"
            created=
            ran=
            vcpus=$*
            continue
            ;;
        dev)
            if [ $# -gt 0 ] || [ "$wanted" = -EBUSY ]; then
                no_file
            elif mkdir "$M/$D" 2>/dev/null; then
                created=1
                put "$D/backend" "$backend"
                # shellcheck disable=SC2086
                put "$D/harts" "$(count $vcpus)"
                got=0
            else
                got=-EEXIST
            fi
            ;;
        set)
            file=$(attribute "$1" "$2")
            store "$file" "$3"
            ;;
        get)
            file=$(attribute "$1" "$2")
            load "$file"
            ;;
        fault)
            # Initialising takes no value and thus no address.
            if [ "$*" = "0 2 0" ]; then store init 0; else no_file; fi
            ;;
        w | r)
            case $1 in
            0xffffffff????????) no_file ;; # no file has such an offset
            *)
                if [ "$op" = w ]; then
                    got=$(answer "$("$IO" pwrite "$D/regs" "$1" "$(le32 "$2")")")
                else
                    got=$(answer "$("$IO" pread "$D/regs" "$1" 4)")
                fi
                ;;
            esac
            ;;
        iw | ir)
            # After a vCPU has run with a guest interrupt file of the hardware, that file answers.
            if [ -n "$ran" ]; then
                no_file
            elif [ "$op" = iw ]; then
                store "$(imsic "$1" "$2")" "$3"
            else
                load "$(imsic "$1" "$2")"
            fi
            ;;
        irq) store "wire/$1" "$2" ;;
        msi) store signal_msi "$1 $2" ;;
        gl | gs)
            if [ -z "$created" ]; then
                no_file
            elif guest "$@"; then
                :
            elif [ "$op" = gs ] && [ "${wanted#in-kernel}" != "$wanted" ]; then
                # A store to an IMSIC page.
                "$IO" write "$D/signal_msi" "$3 $4" >/dev/null
                got=$wanted
            else
                no_file
            fi
            if [ -n "$created" ] && [ "$(cat "$M/$D/aia/mode")" != 0 ]; then
                ran=1
            fi
            ;;
        vcpu | test | irqchip | cap | has | flags) no_file ;;
        *) fail "$1: unknown operation: $line" ;;
        esac
        if [ -z "$got" ]; then
            # Only a refused operation may have no file.
            case $op:$wanted in
            *:-E*) ;;
            set:* | get:* | irq:* | msi:*) fail "there is no file for: $line" ;;
            iw:* | ir:*) [ -n "$ran" ] || fail "there is no file for: $line" ;;
            esac
            continue
        fi
        replayed=$((replayed + 1))
        same "$line" "$got" "$wanted"
    done
    exec 3<&-
    [ -z "$created" ] || rmdir "$M/$D" || fail "rmdir $D"
}

mount_fs -o empty
for trace in "$traces"/*.expected; do
    replay "$trace"
done
[ "$replayed" -gt 400 ] || fail "only $replayed operations were replayed"
say "$replayed operations replayed on backend $backend, $fileless have no file"
