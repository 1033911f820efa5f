#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --probe reports to an ordinary user which features that user may use.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/probe-lib.sh"

root_only
command -v setpriv >/dev/null || skip "setpriv is missing"
user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
chmod 755 "$T"
mkdir -m 777 "$T/logs"
for kind in ASAN UBSAN TSAN; do
    eval "export ${kind}_OPTIONS=\"\$${kind}_OPTIONS:log_path=$T/logs/sanitizer\""
done
user test -x "$VDF_BIN" || skip "an ordinary user cannot reach $VDF_BIN"
probe user user
has user fuse cap_sys_admin no
has user engine libaio "$([ "$(user "$IO" has aio)" = ok ] && echo yes || echo no)"
[ "$(stat -c %a /dev/fuse)" = 600 ] && has user fuse device no EACCES
for log in "$T"/logs/*; do
    [ ! -s "$log" ] || fail "the sanitizer reported: $(cat "$log")"
done
