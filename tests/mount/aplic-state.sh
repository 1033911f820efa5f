#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# APLIC: the state is saved and restored, also in another mount, and no interrupt is delivered meanwhile.
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/aplic-lib.sh"

mount_aplic
D=aplic/aplic0
put $D/sourcecfg/9 6
put $D/target/9 0x40009
put $D/setienum 9
put $D/wire/9 1
put $D/sourcecfg/70 5
put $D/wire/70 1
put $D/genmsi 40
put $D/imsic/1/eithreshold 0x33
cp "$M/$D/state" "$T/saved" || fail "cp of the state"

# The device continues.
go_on() {
    put $D/domaincfg 0x100
    put $D/wire/70 0
    cp "$M/$D/state" "$1" || fail "cp of the state"
}
go_on "$T/later"
cmp -s "$T/saved" "$T/later" && fail "nothing happened"
eq $D/imsic/1/pending 9

cp "$T/saved" "$M/$D/state" || fail "the state was refused: $(tail -n 1 "$M/errors")"
cmp "$T/saved" "$M/$D/state" || fail "the state differs after restoring it"
eq $D/pending 9
eq $D/imsic/1/pending ""
eq $D/imsic/0/pending 40
go_on "$T/later.again"
cmp "$T/later" "$T/later.again" || fail "the restored device continues differently"

# Into another mount; restoring sends no MSI.
umount_fs
mount_aplic
cp "$T/saved" "$M/$D/state" || fail "the state was refused: $(tail -n 1 "$M/errors")"
cmp "$T/saved" "$M/$D/state" || fail "the state differs in a new mount"
[ "$("$IO" read $D/msi)" = EAGAIN ] || fail "restoring sent an MSI"
go_on "$T/later.again"
cmp "$T/later" "$T/later.again" || fail "the restored device continues differently"

# With direct delivery, over the device with MSIs.
mkdir "$M/aplic/d" || fail "mkdir aplic/d"
put aplic/d/delivery direct
put aplic/d/aia/srcs 8
put aplic/d/init 1
put aplic/d/sourcecfg/2 6
put aplic/d/target/2 3
put aplic/d/target/3 0x77
put aplic/d/setienum 2
put aplic/d/wire/2 1
put aplic/d/idc/0/idelivery 1
put aplic/d/idc/0/ithreshold 9
cp "$M/aplic/d/state" "$T/direct" || fail "cp of the state"
rmdir "$M/aplic/d" || fail "rmdir aplic/d"
mkdir "$M/aplic/d" || fail "mkdir aplic/d"
cp "$T/direct" "$M/aplic/d/state" || fail "the state was refused: $(tail -n 1 "$M/errors")"
cmp "$T/direct" "$M/aplic/d/state" || fail "the state differs after restoring it"
eq aplic/d/idc/0/topi 0x00020003
put aplic/d/sourcecfg/3 1
eq aplic/d/target/3 0x00000077

# Edited states: possible values are taken; a state with impossible ones changes nothing.
sed -e 's/^checksum = .*/checksum = none/' -e 's/^aia\/mode = .*/aia\/mode = 0/' "$T/saved" >"$T/edited"
cp "$T/edited" "$M/$D/state" || fail "the edited state was refused: $(tail -n 1 "$M/errors")"
eq $D/aia/mode 0
for edit in 's/^harts = 2/harts = 3/' 's/^aia\/srcs = 96/aia\/srcs = 20/' \
    's/^initialised = 1/initialised = 0/' 's/^setie\/0 = .*/setie\/0 = 0x00000001/' \
    's/^wire\/9 = 1/wire\/97 = 1/' 's/^domaincfg = .*/domaincfg = 0x00000000/'; do
    sed "$edit" "$T/edited" >"$T/bad"
    cmp -s "$T/edited" "$T/bad" && fail "$edit changes nothing"
    cp "$M/$D/state" "$T/before"
    cp "$T/bad" "$M/$D/state" 2>/dev/null && fail "the state was taken after $edit"
    cmp "$T/before" "$M/$D/state" || fail "a refused state has changed something: $edit"
done
