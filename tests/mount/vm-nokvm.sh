#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Without a usable KVM mkdir answers ENODEV, and errors has the reason.
. "$(dirname "$0")/lib.sh"

root_only
[ -e /dev/kvm ] || skip "there is no /dev/kvm that could be hidden"
unshare -m mount --bind /dev/null /dev/kvm 2>/dev/null || skip "nothing may be mounted over /dev/kvm"

# In a mount namespace of its own, so that the mount that hides the device ends with it.
unshare -m sh -c 'mount --bind /dev/null /dev/kvm && exec "$@"' sh \
    "$VDF_BIN" -o "engine=$VDF_ENGINE" --run "
        mkdir \$VIRTDEVFS/vm/vm0 2>'$T/mkdir'
        ls \$VIRTDEVFS/vm >'$T/ls'
        cp \$VIRTDEVFS/state '$T/state' && cp '$T/state' \$VIRTDEVFS/state || exit 1
        cp \$VIRTDEVFS/errors '$T/errors'" "$M" || fail "the command has failed"
grep -q 'No such device' "$T/mkdir" || fail "mkdir says: $(cat "$T/mkdir")"
same "the content of vm" "$(cat "$T/ls")" ""
grep -q "^vm/vm0: ENODEV: /dev/kvm: " "$T/errors" || fail "errors says: $(cat "$T/errors")"
