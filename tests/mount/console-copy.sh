#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copying a console with tar or rsync does not change the console. Reading, writing or polling a port connects it.
. "$(dirname "$0")/lib.sh"

mount_fs
c=console/con0
p=$c/ports/1
mkdir "$M/$p" || fail "mkdir"
put $p/data waits
# The kernel tells of a close after close(2) has returned.
wait_for 10 grep -qx 0 "$M/$p/host_connected" || fail "the host's end stays open"
"$IO" read $c/control >"$T/control"
cp "$M/$c/state" "$T/state" || fail "saving"

unchanged() {
    "$IO" read $c/control | cmp - "$T/control" || fail "$1 has left lines in control"
    cmp "$M/$c/state" "$T/state" || fail "$1 has changed the state"
    eq $p/bytes_discarded 0
}

# Files that can only be written are not copied.
tar --exclude=reset -cf "$T/copy.tar" -C "$M/console" con0 || fail "tar: $(tail -n 1 "$M/errors")"
unchanged tar
if command -v rsync >/dev/null; then
    rsync -a --exclude=reset "$M/$c/" "$T/copy/" || fail "rsync: $(tail -n 1 "$M/errors")"
    unchanged rsync
else
    skip_part "rsync: it is not installed"
fi

# An open for one direction, by a shell.
for end in data guest; do
    : <"$M/$p/$end" || fail "$end cannot be opened for reading"
    : >"$M/$p/$end" || fail "$end cannot be opened for writing"
done
unchanged "an open"

# The first read opens the port, with what waited in its queue.
exec 3<"$M/$p/guest"
eq $p/guest_connected 0
same "a line that waited" "$(head -n 1 <&3)" waits
eq $p/guest_connected 1
exec 3<&-
wait_for 10 grep -qx 0 "$M/$p/guest_connected" || fail "the guest's end stays open"

# So does a poll, which is what a program waits with.
same "nothing" "$("$IO" poll $p/data in 100)" timeout
wait_for 10 grep -qx 0 "$M/$p/host_connected" || fail "the host's end stays open"
"$IO" read $c/control | tail -n 2 >"$T/last"
printf '> PORT_OPEN id=1 value=1\n> PORT_OPEN id=1 value=0\n' | cmp - "$T/last" ||
    fail "a poll did not connect: $(cat "$T/last")"

# An open for both directions connects at once, and a writer with its first write.
exec 3<>"$M/$p/data"
eq $p/host_connected 1
exec 3<&-
wait_for 10 grep -qx 0 "$M/$p/host_connected" || fail "the host's end stays open"
exec 3>"$M/$p/data"
eq $p/host_connected 0
printf line >&3
eq $p/host_connected 1
exec 3<&-
exit 0
