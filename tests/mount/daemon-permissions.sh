#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A daemon of root serves other users: the modes of the files limit what they can do, and a socket is opened
# with the rights of the user who names it.
. "$(dirname "$0")/lib.sh"
root_only
command -v setpriv >/dev/null || skip "setpriv is missing"

user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
member() {
    setpriv --reuid=65534 --regid=65534 --groups 4242 "$@"
}
# says WANTED COMMAND...: the command's write(2) ends with that error.
says() {
    same "the answer to $*" "$(shift && "$@")" "$1"
}

chmod 755 "$T"
user test -x "$IO" || skip "an ordinary user cannot reach $IO"
mkdir -m 700 "$T/private"
mkdir -m 777 "$T/public"
touch "$T/private/file"

# The modes count with allow_other, unless told otherwise.
mount_fs -o allow_other
same "what another user reads" "$(user cat "$M/aplic/aplic0/harts")" 2
says EACCES user "$IO" write aplic/aplic0/wire/5 1
user mkdir "$M/intx/mine" 2>/dev/null && fail "another user makes devices"
# Neither do others change a device by reading: no interrupt is claimed, and no byte is taken.
d=aplic/direct
mkdir "$M/$d" || fail "mkdir"
for setting in delivery=direct aia/srcs=20 addr/aplic=0x80000000 init=1 domaincfg=0x100 sourcecfg/3=4 target/3=1 \
    setienum=3 idc/0/idelivery=1 wire/3=1; do
    put "$d/${setting%=*}" "${setting#*=}"
done
claimi=0x401c
same "another user's claim" "$(user "$IO" pread $d/regs $claimi 4)" EACCES
eq $d/pending 3
same "the owner's claim" "$("$IO" pread $d/regs $claimi 4)" 01000300
eq $d/pending ''
put console/con0/ports/0/data secret
same "another user's read" "$(user "$IO" read console/con0/ports/0/guest)" EACCES
same "the owner's read" "$("$IO" read console/con0/ports/0/guest)" secret
for file in $d/regs console/con0/ports/0/data console/con0/ports/0/guest console/con0/regs hwqueue/smmu0/regs; do
    same "the mode of $file" "$(stat -c %a "$M/$file")" 600
done
same "the mode of veventq" "$(stat -c %a "$M/hwqueue/smmu0/veventq")" 400
same "the mode of a log" "$(stat -c %a "$M/console/con0/control")" 444
umount_fs
mount_fs -o allow_other,no_default_permissions
says ok user "$IO" write aplic/aplic0/wire/5 1
umount_fs
mount_fs -o allow_root
user cat "$M/version" >/dev/null 2>&1 && fail "allow_root lets others in"
cat "$M/version" >/dev/null || fail "allow_root keeps the superuser out"
umount_fs

# owner, group and umask are those that the options name.
mount_fs -o allow_other,uid=65534,gid=4242,umask=007
same "the owner and mode of a value" "$(stat -c %u:%g:%a "$M/aplic/aplic0/harts")" 65534:4242:660
same "the owner and mode of a directory" "$(stat -c %u:%g:%a "$M/aplic")" 65534:4242:770
same "the mode of what is only read" "$(stat -c %a "$M/version")" 440
same "the mode of a stream" "$(stat -c %a "$M/console/con0/ports/0/data")" 660
same "the mode of a stream that is only read" "$(stat -c %a "$M/hwqueue/smmu0/veventq")" 440
user mkdir "$M/intx/mine" || fail "the owner cannot make a device"
setpriv --reuid=65533 --regid=65533 --groups 4242 cat "$M/version" >/dev/null || fail "the group cannot read"
setpriv --reuid=65533 --regid=65533 --clear-groups cat "$M/version" 2>/dev/null && fail "others read"
umount_fs

mount_fs -o allow_other,umask=0
here=console/con0/vhost_user
# A user who may not search a directory gets the same answer for existing and missing files.
says EACCES user "$IO" write $here "$T/private/file"
says EACCES user "$IO" write $here "$T/private/none"
says EACCES user "$IO" write $here "$T/private/none/none"
same "what errors tells of them" "$(grep -c 'private/.*: Permission denied$' "$M/errors")" 3
eq $here ""
says ok user "$IO" write $here "$T/public/socket"
same "the owner of the socket" "$(stat -c %u:%g "$T/public/socket")" 65534:65534

# The same through a state.
sed "s,$T/public/socket,$T/private/socket,; s/^checksum = .*/checksum = none/" "$M/console/con0/state" >"$T/state"
grep -q "$T/private/socket" "$T/state" || fail "the state has no socket: $(cat "$T/state")"
user cp "$T/state" "$M/console/con0/state" 2>/dev/null
[ ! -e "$T/private/socket" ] || fail "a state makes a socket where the user cannot go"

# Sockets of others are not removed.
put $here "$T/private/root"
[ -S "$T/private/root" ] || fail "the superuser cannot make a socket"
says ok user "$IO" write $here ''
[ -S "$T/private/root" ] || fail "another user removes a socket where the user cannot go"

# The groups of the request count.
chgrp 4242 "$T/private"
chmod 770 "$T/private"
says EACCES user "$IO" write $here "$T/private/group"
says ok member "$IO" write $here "$T/private/group"
same "the owner of the socket" "$(stat -c %u:%g "$T/private/group")" 65534:65534
member rmdir "$M/console/con0" || fail "the user cannot remove the device"
[ ! -e "$T/private/group" ] || fail "the socket outlives its device"

# The daemon has its own rights again.
mkdir "$M/console/root"
chmod 700 "$T/private"
put console/root/vhost_user "$T/private/again"
same "the owner of the socket" "$(stat -c %u:%g "$T/private/again")" "$(id -u):$(id -g)"
