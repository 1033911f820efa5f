#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A message that a device sends before the first run is pending in the processor, also after a restore.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

D=aplic/aplic0
mount_fs
need_kvm
machine early long early
put $D/imsic/0/eidelivery 1
put $D/imsic/0/enabled 7
put $D/domaincfg 0x100
put $D/sourcecfg/3 4
put $D/target/3 7
put $D/setienum 3
slot early 0 $D 0x10000000 msi
put $D/wire/3 1
cp "$M/state" "$T/state"
grep -qx 'early = 0:39' "$T/state" || fail "the message is not in the state"
put vm/early/run 1
ends early 0

remount_fs
cp "$T/state" "$M/state" || fail "the state is refused: $(tail -n 1 "$M/errors")"
dd if="$VDF_GUESTS/early.bin" of="$M/vm/early/memory" conv=notrunc status=none
cp "$M/state" "$T/again"
cmp "$T/state" "$T/again" || fail "the restored state is another one"
put vm/early/run 1
ends early 0

# Any other text there is refused.
for bad in 16:39 0:256 0 0:39,0:40 x; do
    sed "s/^early = .*/early = $bad/; s/^checksum = .*/checksum = none/" "$T/state" >"$T/bad"
    ! cp "$T/bad" "$M/state" 2>/dev/null || fail "a state with early = $bad is taken"
done
