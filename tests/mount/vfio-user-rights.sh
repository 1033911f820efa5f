#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A vfio-user client of another user: what it names in the data of a migration is opened with its rights, not
# with those of the daemon.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vfu-lib.sh"

root_only
command -v setpriv >/dev/null || skip "setpriv is missing"
user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
chmod 755 "$T"
user test -x "$VFUIO" || skip "another user cannot reach $VFUIO"
mkdir "$T/root"
mkdir -m 777 "$T/all"
echo '#!/bin/sh
exec setpriv --reuid=65534 --regid=65534 --clear-groups '"'$VFUIO'" >"$T/vfuio"
chmod 755 "$T/vfuio"
VFUIO=$T/vfuio

mount_fs
mkdir "$M/pci/nic" "$M/pci/nic/bars/0"
put pci/nic/bars/0/device console/con0
put pci/nic/vfio_user "$S"
client
vfe EACCES connect "$S"
chown 65534 "$S"
attach
case $(cat "$M/pci/nic/client") in
"pid="*" uid=65534 "*) ;;
*) fail "the client is $(cat "$M/pci/nic/client")" ;;
esac

vfe ok state STOP_COPY
vfe '[1-9]*' save "$T/all/data"
vfe ok state STOP
# opens DIR ERRNO TEXT: the data has the console serve a socket there.
opens() {
    sed -e "/^\[console\/con0\]/,/^\[/s|^driver = .*|driver = vhost-user|" \
        -e "s|^vhost_user = .*|vhost_user = $1/socket|" -e 's|^checksum = .*|checksum = none|' "$T/all/data" \
        >"$T/all/changed"
    grep -q "^vhost_user = $1/socket" "$T/all/changed" || fail "the data has no vhost_user"
    vfe ok state RESUMING
    vfe '[1-9]*' restore "$T/all/changed"
    vfe "$2" state RUNNING
    reported pci/nic "$2" "$3"
    [ ! -e "$1/socket" ] || fail "there is a socket in $1"
    eq console/con0/vhost_user ""
    vfe ok reset
}
opens "$T/root" EACCES "$T/root"
eq pci/nic/vfio_user "$S"
vfe ok state RESUMING
vfe '[1-9]*' restore "$T/all/data"
vfe ok state RUNNING
