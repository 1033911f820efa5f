#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bad input: random bytes, odd paths and huge states get a clear errno, change nothing, and nothing hangs.
. "$(dirname "$0")/lib.sh"

mount_fs
mkdir "$M/intx/bus0/devices/d" "$M/gait/gait0/guests/g" "$M/gait/gait0/functions/1" \
    "$M/hwqueue/smmu0/queues/0" "$M/hwqueue/smmu0/vdevices/1" "$M/console/con0/ports/1" ||
    fail "mkdir"

alive() {
    timeout 20 cat "$M/version" >"$T/version" || fail "$1: the mount does not answer"
    [ -n "$(daemon_pids)" ] || fail "$1: the daemon is gone"
}

# A value file takes no random bytes, and a state neither.
random_seed
"$IO" random "$seed" 65536 >"$T/random"
printf '\377' | dd of="$T/random" conv=notrunc 2>/dev/null
head -c 65536 /dev/zero | tr '\0' '\377' >"$T/ones"
find "$M" -type f -perm -200 ! -regex '.*/[0-9][0-9]+\(/.*\)?' >"$T/files"
[ "$(wc -l <"$T/files")" -gt 100 ] || fail "only $(wc -l <"$T/files") files"
while IFS= read -r file; do
    path=${file#"$M"/}
    case $path in
    errors) continue ;; # anything empties it
    */data | */guest | */regs | */memory | */table | */sbv | */page | */page0 | */entries | */config)
        for bytes in random ones; do
            timeout 20 dd if="$T/$bytes" of="$file" bs=65536 conv=notrunc oflag=nonblock 2>"$T/out"
            [ $? -le 1 ] || fail "$path does not answer"
            # All registers at once is a lot; one after the other reaches each.
            timeout 20 dd if="$T/$bytes" of="$file" bs=4 count=64 conv=notrunc oflag=nonblock \
                2>"$T/out"
            [ $? -le 1 ] || fail "$path does not answer"
        done
        continue
        ;;
    esac
    before=
    [ -r "$file" ] && before=$(timeout 20 cat "$file" 2>/dev/null | cksum)
    for n in 1 64 65536; do
        case $path in
        */name | */vhost_user) continue ;; # a text
        esac
        timeout 20 dd if="$T/random" of="$file" bs=$n count=1 conv=notrunc 2>"$T/out" &&
            fail "$path took $n random bytes"
        [ $? -le 1 ] || fail "$path does not answer"
    done
    [ -z "$before" ] || [ "$before" = "$(timeout 20 cat "$file" 2>/dev/null | cksum)" ] ||
        fail "random bytes changed $path"
done <"$T/files"
alive "random bytes"

# The tree still saves a state that it takes back.
cp "$M/state" "$T/state" || fail "the state cannot be read"
cp "$T/state" "$M/state" || fail "its own state is refused: $(tail -n 1 "$M/errors")"
cmp "$T/state" "$M/state" || fail "its own state is another one"

# Odd paths.
long=$(printf '%0255d' 0)
for name in "$long" "${long}0" "$(printf '\001')" "$(printf 'a\nb')" '%s%n' \\ ' ' '"' '~' \
    4294967296 99999999999999999999 -1 0x1 01 '#' state/x; do
    for dir in '' intx aplic/aplic0/wire aplic/aplic0/sourcecfg gait/gait0/entries intx/bus0/lines \
        intx/bus0/devices; do
        [ ! -e "$M/$dir/$name" ] || fail "'$dir/$name' exists"
        mkdir "$M/$dir/$name" 2>/dev/null && case $dir/$name in
        */devices/4294967296 | */devices/99999999999999999999 | */devices/0x1 | */devices/01) ;;
        intx/4294967296 | intx/99999999999999999999 | intx/0x1 | intx/01) ;;
        *) fail "mkdir '$dir/$name' succeeded" ;;
        esac
    done
done
alive "odd paths"
same "control bytes in errors" "$(tr -cd '\000-\011\013-\037\177' <"$M/errors" | wc -c)" 0

# A state as large as they come, of nothing, is refused without being kept.
head -c 8388608 /dev/zero | tr '\0' '\n' >"$T/large"
cp "$T/large" "$M/intx/bus0/state" 2>/dev/null && fail "8 MiB of newlines were taken"
alive "a large state"
