# shellcheck shell=sh disable=SC2016,SC2034,SC2086,SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Scenarios of a Linux guest and the tree's files with one console. The scripts of this folder read this file in
# after lib.sh; each function is one scenario and restores the ports at its end.
#
# Port 0 is the console hvc0; port 1, named `org.virtdevfs.test`, is made before the guest boots. $console_driver is
# how the guest reaches the console: vhost-user, or pci after a script has said so.
port_name=org.virtdevfs.test
port=/dev/virtio-ports/$port_name
console_driver=vhost-user

if [ -n "${VDF_VM_FULL:-}" ]; then
    size_mib=1024
    stop_seconds=60
else
    size_mib=64
    stop_seconds=5
fi
bytes=$((size_mib << 20))
# Room for the file in the guest, beside what the kernel and its queues take.
guest_mib=$((size_mib + 320))

say_size() {
    say "$size_mib MiB each way, a reader that stops for $stop_seconds s" \
        "(1024 MiB and 60 s with VDF_VM_FULL=1)"
}

value() {
    cat "$M/$1" || fail "$1 cannot be read"
}

# reaches PATH VALUE: wait until the file has the value.
reaches() {
    wait_for 20 is_value "$1" "$2" || same "$1" "$(value "$1")" "$2"
}

is_value() {
    [ "$(cat "$M/$1")" = "$2" ]
}

gone() {
    [ ! -e "$1" ]
}

vm_prepare() {
    mkdir "$M/$C/ports/1" || fail "mkdir ports/1"
    put $C/ports/1/name "$port_name"
    case $console_driver in
    vhost-user) put $C/vhost_user "$T/con0.sock" ;;
    pci)
        mkdir "$M/pci/con0" || fail "mkdir pci/con0"
        put pci/con0/function $C
        put pci/con0/vfio_user "$T/con0.sock"
        ;;
    esac
    eq $C/driver $console_driver
}

# The kernel is who it should be, hvc0 a terminal of it, and both sides say that the ports are open.
scenario_login() {
    guest 'uname -s; tty </dev/hvc0'
    same "uname and tty in the guest" "$out" "Linux
/dev/hvc0"
    eq $C/ports/0/ready 1
    eq $C/ports/0/guest_connected 1
    eq $C/ports/0/host_connected 1
    eq $C/driver $console_driver
    # Longer than the 4 KiB of one buffer.
    guest 'seq 1 5000'
    same "5000 lines through hvc0" "$(echo "$out" | sha256sum)" "$(seq 1 5000 | sha256sum)"
}

scenario_named_port() {
    guest_wait "test -c $port"
    guest "readlink $port; cat /sys/class/virtio-ports/vport*p1/name"
    same "the link to the port" "$(echo "$out" | sed 's/vport[0-9]*p/vportNp/')" "../vportNp1
$port_name"
    eq $C/ports/1/guest_connected 0
    # The guest's end is seen to be open exactly as long as it is. A reader there gets the end of file while
    # the host's end is closed, so that is opened first.
    exec 8<>"$M/$C/ports/1/data"
    guest "(dd bs=4k <$port >/tmp/got 2>/dev/null & echo \$! >/tmp/dd.pid)"
    reaches $C/ports/1/guest_connected 1
    echo "from the host" >&8 || fail "writing to the port"
    guest_wait "grep -qx 'from the host' /tmp/got"
    guest 'kill $(cat /tmp/dd.pid)'
    reaches $C/ports/1/guest_connected 0
    exec 8>&-
    # A writer waits for the host.
    guest "(echo 'from the guest' >$port; echo >/tmp/wrote) &"
    same "a line from the guest" "$(timeout --foreground 20 head -n 1 "$M/$C/ports/1/data")" "from the guest"
    guest_wait 'test -e /tmp/wrote'
    # The console is no port for others, and a port has one user.
    guest_fails 'exec 5</dev/vport*p0'
    guest "(exec 5<>$port; exec sleep 1000 & echo \$! >/tmp/sleep.pid); ! (exec 6<>$port) 2>/dev/null"
    guest 'kill $(cat /tmp/sleep.pid); rm -f /tmp/wrote /tmp/got'
}

# Ports come and go while the guest runs, and while it has them open.
scenario_hotplug() {
    for id in 2 7; do
        mkdir "$M/$C/ports/$id" || fail "mkdir ports/$id"
        put $C/ports/$id/name "late$id"
        guest_wait "test -c /dev/virtio-ports/late$id"
        reaches $C/ports/$id/ready 1
    done
    guest 'ls /dev | grep "^vport.*p[27]$" | sed "s/.*p//" | sort'
    same "hot-plugged ports in the guest" "$out" "2
7"
    # One is used, then pulled out under its reader, which sees the end.
    exec 8<>"$M/$C/ports/7/data"
    guest "(dd if=/dev/virtio-ports/late7 of=/tmp/late bs=1; echo over >>/tmp/late) 2>/dev/null &"
    reaches $C/ports/7/guest_connected 1
    echo hot >&8 || fail "writing to the new port"
    guest_wait 'grep -qx hot /tmp/late'
    rmdir "$M/$C/ports/7" || fail "rmdir ports/7"
    exec 8>&-
    guest_wait 'grep -qx over /tmp/late'
    guest_wait '! ls /dev | grep -q "^vport.*p7$"'
    guest_wait '! test -e /dev/virtio-ports/late7'
    guest 'rm -f /tmp/late; test -c /dev/virtio-ports/late2'
    rmdir "$M/$C/ports/2" || fail "rmdir ports/2"
    guest_wait '! ls /dev | grep -q "^vport.*p2$"'
    absent $C/ports/2
    "$IO" read $C/control >"$T/control"
    for line in 'PORT_ADD id=7' 'PORT_READY id=7 value=1' 'PORT_OPEN id=7 value=1' 'PORT_REMOVE id=7'; do
        grep -q "$line" "$T/control" || fail "control has no '$line'"
    done
    # Again under the same number, and nothing of the old one is left in it.
    mkdir "$M/$C/ports/7" || fail "mkdir ports/7"
    guest_wait 'ls /dev | grep -q "^vport.*p7$"'
    eq $C/ports/7/name ""
    eq $C/ports/7/guest_connected 0
    rmdir "$M/$C/ports/7" || fail "rmdir ports/7"
}

# size_order ORDER: what stty(1) in the guest says when the size is 100 columns and 40 rows.
size_order() {
    put $C/resize_order "$1"
    put $C/ports/0/size '80 25'
    guest_wait 'test "$(stty size </dev/hvc0)" != "40 100" -a "$(stty size </dev/hvc0)" != "100 40"'
    put $C/ports/0/size '100 40'
    guest_wait 'stty size </dev/hvc0 | grep -q 100'
    guest 'stty size </dev/hvc0'
}

# Linux has read the two numbers in either order, as its releases went; `resize_order` serves both.
scenario_resize() {
    size_order cols-rows
    case $out in
    '40 100')
        say "this kernel reads columns first"
        good=cols-rows bad=rows-cols
        ;;
    '100 40')
        say "this kernel reads rows first"
        good=rows-cols bad=cols-rows
        ;;
    *) fail "stty size is '$out' after a resize to 100 columns and 40 rows" ;;
    esac
    size_order $bad
    same "stty size with $bad" "$out" '100 40'
    size_order $good
    same "stty size with $good" "$out" '40 100'
    put $C/ports/0/size '132 43'
    guest_wait 'test "$(stty size </dev/hvc0)" = "43 132"'
}

# The same bytes arrive, each way, and are counted the same on both sides.
scenario_large_file() {
    sent=$(value $C/ports/1/bytes_sent)
    received=$(value $C/ports/1/bytes_received)
    guest_seconds=600

    guest "dd if=/dev/urandom of=/tmp/file bs=1M count=$size_mib 2>/dev/null; sha256sum </tmp/file"
    head -c $bytes <"$M/$C/ports/1/data" | sha256sum >"$T/sum" &
    reader=$!
    wanted=$out
    guest "dd if=/tmp/file of=$port bs=32k 2>/dev/null; rm /tmp/file"
    wait $reader || fail "the host's reader failed"
    same "$size_mib MiB from the guest" "$(cat "$T/sum")" "$wanted"
    eq $C/ports/1/bytes_sent $((sent + bytes))

    head -c $bytes /dev/urandom >"$T/file"
    exec 9<>"$M/$C/ports/1/data"
    guest "(dd if=$port bs=32k 2>/dev/null | sha256sum >/tmp/sum) &"
    reaches $C/ports/1/guest_connected 1
    cat "$T/file" >&9 || fail "writing $size_mib MiB to the port"
    # The end of file for the guest, behind the last byte.
    exec 9>&-
    guest_wait 'test -s /tmp/sum'
    guest 'cat /tmp/sum; rm /tmp/sum'
    same "$size_mib MiB to the guest" "$out" "$(sha256sum <"$T/file")"
    eq $C/ports/1/bytes_received $((received + bytes))
    eq $C/ports/1/bytes_discarded 0
    rm "$T/file"
    guest_seconds=60
}

# Both ends hold the writer back, and lose nothing by it.
scenario_back_pressure() {
    # The host does not read: what is under way is bounded, and the guest's other ports are not held up.
    sent=$(value $C/ports/1/bytes_sent)
    guest 'dd if=/dev/urandom of=/tmp/file bs=1M count=16 2>/dev/null; sha256sum </tmp/file'
    wanted=$out
    exec 8<>"$M/$C/ports/1/data"
    guest "(dd if=/tmp/file of=$port bs=32k 2>/dev/null; echo >/tmp/done) &"
    reaches $C/ports/1/throttled 1
    held=$(value $C/ports/1/bytes_sent)
    [ $((held - sent)) -lt $((8 << 20)) ] || fail "$((held - sent)) bytes were taken with no reader"
    until_time=$(($(date +%s) + stop_seconds))
    while [ "$(date +%s)" -lt $until_time ]; do
        guest 'test ! -e /tmp/done && echo still here'
        same "hvc0 while port 1 is held back" "$out" "still here"
    done
    eq $C/ports/1/throttled 1
    eq $C/ports/1/bytes_sent "$held"
    same "16 MiB from a guest held back" "$(timeout --foreground 120 head -c $((16 << 20)) <&8 | sha256sum)" "$wanted"
    guest_wait 'test -e /tmp/done'
    exec 8<&-
    reaches $C/ports/1/throttled 0
    eq $C/ports/1/bytes_sent $((sent + (16 << 20)))
    guest 'rm /tmp/done /tmp/file'

    # The guest does not read.
    received=$(value $C/ports/1/bytes_received)
    exec 9<>"$M/$C/ports/1/data"
    guest "mkfifo /tmp/go; (exec 5<$port; read x </tmp/go; dd bs=32k <&5 2>/dev/null |
        sha256sum >/tmp/sum) &"
    reaches $C/ports/1/guest_connected 1
    head -c $((16 << 20)) /dev/urandom >"$T/file"
    cat "$T/file" >&9 &
    writer=$!
    # The queue and what waits behind it have room for much less.
    wait_for 20 settled $C/ports/1/bytes_received || fail "a guest that does not read takes for ever"
    until_time=$(($(date +%s) + stop_seconds))
    while [ "$(date +%s)" -lt $until_time ]; do
        guest 'echo still here'
        kill -0 $writer 2>/dev/null || fail "16 MiB were taken with no reader in the guest"
    done
    guest 'echo >/tmp/go'
    wait $writer || fail "the writer that was held back failed"
    exec 9>&-
    guest_wait 'test -s /tmp/sum'
    guest 'cat /tmp/sum; rm /tmp/sum /tmp/go'
    same "16 MiB to a guest that waited" "$out" "$(sha256sum <"$T/file")"
    eq $C/ports/1/bytes_received $((received + (16 << 20)))
    rm "$T/file"
}

# settled PATH: has the same value as when it was looked at last.
settled() {
    settled_before=${settled_now:-}
    settled_now=$(value "$1")
    [ "$settled_now" = "$settled_before" ]
}

# The counters of both sides agree. Needs a kernel with debugfs.
scenario_counters() {
    for id in 0 1; do
        guest "cat /sys/kernel/debug/virtio-ports/vport*p$id; cat /sys/kernel/debug/virtio-ports/vport*p$id"
        for counter in bytes_sent bytes_received bytes_discarded guest_connected host_connected; do
            guests=$(echo "$out" | sed -n "s/^$counter: *//p" | head -n 1)
            [ -n "$guests" ] || fail "the guest's debugfs has no $counter"
            # hvc0 counts the very command that looks at it; its own reading bounds ours.
            if [ $id = 1 ]; then
                same "$counter of port $id, here and in the guest" "$(value $C/ports/$id/$counter)" "$guests"
            else
                [ "$(value $C/ports/$id/$counter)" -ge "$guests" ] ||
                    fail "$counter of port $id: $guests in the guest, less here"
            fi
        done
    done
}
