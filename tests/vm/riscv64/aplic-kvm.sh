#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel's device behind an APLIC: it is chosen, removed, refused for lack of descriptors, and given states that
# it refuses. Nothing of it is left in the kernel.
. "$(dirname "$0")/common"
. "$vdf_root/tests/mount/aplic-lib.sh"

debug=/sys/kernel/debug
[ -d $debug/kvm ] || mount -t debugfs debugfs $debug || fail "no debugfs"

# held: the descriptors of KVM that the daemon has, as "VMs devices vCPUs".
held() {
    for kind in kvm-vm kvm-riscv-aia kvm-vcpu; do
        find "/proc/$(daemon_pids)/fd" -lname "anon_inode:$kind*" | wc -l
    done | xargs
}

# There is a folder for each VM of any process.
machines() {
    find $debug/kvm -mindepth 1 -maxdepth 1 -type d | wc -l
}

no_machines() {
    [ "$(machines)" = 0 ]
}

mount_fs -o empty
no_machines || fail "there are VMs already: $(ls $debug/kvm)"
D=aplic/a
mkdir "$M/$D" || fail "mkdir $D"
eq $D/backend soft

# A change of the backend keeps the values that were set, in both directions; harts come and go.
put $D/aia/srcs 40
put $D/aia/ids 63
put $D/addr/imsic/0 0x28000000
put $D/backend kvm
eq $D/backend kvm
same "objects of the daemon" "$(held)" "1 1 1"
eq $D/aia/srcs 40
eq $D/aia/ids 63
eq $D/aia/group_shift 24
eq $D/addr/aplic 0xffffffffffffffff
eq $D/addr/imsic/0 0x0000000028000000
put $D/backend kvm
put $D/harts 4
same "with 4 harts" "$(held)" "1 1 4"
eq $D/addr/imsic/0 0x0000000028000000
eq $D/addr/imsic/3 0xffffffffffffffff
put $D/addr/imsic/3 0x28003000
put $D/harts 2
same "with 2 harts" "$(held)" "1 1 2"
put $D/harts 0
same "without harts" "$(held)" "1 1 0"
put $D/harts 1
put $D/addr/imsic/0 0x28000000
put $D/aia/mode 0
put $D/backend soft
same "with the model" "$(held)" "0 0 0"
wait_for 5 no_machines || fail "the VM has stayed"
eq $D/aia/mode 0
eq $D/aia/srcs 40
put $D/delivery direct
refuse EOPNOTSUPP $D/backend kvm
put $D/delivery msi
put $D/backend kvm
refuse EOPNOTSUPP $D/delivery direct
put $D/delivery msi

# Wrong values, with the sentences of the model where the model refuses them too.
refuse EINVAL $D/aia/ids 64
refuse EINVAL $D/aia/mode 3
refuse EINVAL $D/addr/aplic 0x1001
refuse EINVAL $D/harts 20000
refuse EINVAL $D/init 1
case $(tail -n 1 "$M/errors") in
*addr/aplic*) ;;
*) fail "init does not say what is missing: $(tail -n 1 "$M/errors")" ;;
esac
refuse EBUSY $D/wire/1 1
put $D/addr/aplic 0xd000000
put $D/init 1
refuse EBUSY $D/init 1
refuse EBUSY $D/backend soft
refuse EBUSY $D/harts 2
refuse EBUSY $D/aia/srcs 41

# The level of a wire that the kernel does not show: its source is inactive.
put $D/domaincfg 0x100
put $D/setie/0 0xffffffff
put $D/wire/9 1
eq $D/wire/9 1
eq $D/in_clrip/0 0x00000000
put $D/sourcecfg/9 4
eq $D/wire/9 1
put $D/sourcecfg/9 0
eq $D/wire/9 1
put $D/wire/9 0
eq $D/wire/9 0
eq $D/sourcecfg/9 0x00000000

# Identities that the kernel's registers leave out.
put $D/signal_msi "0x28000000 33"
put $D/signal_msi "0x28000000 3"
eq $D/imsic/0/eip/0 0x0000000000000008
eq $D/imsic/0/pending "3
33"
put $D/imsic/0/eidelivery 1
put $D/imsic/0/enabled 5
put $D/imsic/0/pending 34
eq $D/imsic/0/pending 34
eq $D/imsic/0/eidelivery 0x0000000000000001
eq $D/imsic/0/enabled 5
refuse EOPNOTSUPP $D/imsic/0/enabled 35
put $D/genmsi 40
cp "$M/$D/state" "$T/kvm" || fail "cp of the state"

# Into the model and back. A write of genmsi would send its MSI again.
put $D/imsic/0/pending ""
cp "$M/$D/state" "$T/cleared" || fail "cp of the state"
for state in kvm cleared; do
    mkdir "$M/aplic/b" || fail "mkdir aplic/b"
    cp "$T/$state" "$M/aplic/b/state" || fail "the model refuses it: $(tail -n 1 "$M/errors")"
    eq aplic/b/backend soft
    sed 's,\[aplic/b\],[aplic/a],; /^checksum/d' "$M/aplic/b/state" >"$T/soft"
    sed '/^checksum/d' "$T/$state" | cmp - "$T/soft" || fail "the state differs in the model"
    change_backend aplic/b kvm
    change_backend aplic/b soft
    rmdir "$M/aplic/b" || fail "rmdir aplic/b"
done

# Refused states change nothing and leave nothing behind.
before=$(held)
sed 's/^checksum = .*/checksum = none/' "$T/kvm" >"$T/edited"
for edit in 's/^delivery = msi/delivery = direct/' 's/^aia\/srcs = 40/aia\/srcs = 80/' \
    's/^\(imsic\/0\/held_eip\/0\) = .*/\1 = 0x0000000000000001/' 's/^domaincfg = .*/domaincfg = 0x1/' \
    's/^\(imsic\/0\/held_eie\/0\) = .*/\1 = 0x0000000100000000/' 's/^harts = 1/harts = 16385/'; do
    sed "$edit" "$T/edited" >"$T/bad"
    cmp -s "$T/edited" "$T/bad" && fail "$edit changes nothing"
    cp "$T/bad" "$M/$D/state" 2>/dev/null && fail "the state was taken after $edit"
    cmp "$T/cleared" "$M/$D/state" || fail "a refused state has changed something: $edit"
done
same "objects of the daemon after refused states" "$(held)" "$before"
cp "$T/kvm" "$M/$D/state" || fail "the state was refused: $(tail -n 1 "$M/errors")"
same "objects of the daemon after a restore" "$(held)" "$before"

# Removing.
rmdir "$M/$D" || fail "rmdir $D"
same "after rmdir" "$(held)" "0 0 0"
wait_for 5 no_machines || fail "the VM has stayed after rmdir"

# Too few descriptors for the VM, the device or a vCPU.
pid=$(daemon_pids)
limit() {
    same "the limit of descriptors" "$("$IO" limit "$pid" "$1")" ok
}
mkdir "$M/$D" || fail "mkdir $D"
used=$(find "/proc/$pid/fd" -mindepth 1 | wc -l)
refused=0
for more in 0 1 2 3 4 5; do
    limit $((used + more))
    case $("$IO" write $D/backend kvm) in
    ok) break ;;
    EMFILE) refused=$((refused + 1)) ;;
    *) fail "with $more descriptors more: $(tail -n 1 "$M/errors")" ;;
    esac
    same "objects of the daemon after EMFILE" "$(held)" "0 0 0"
    limit 1024
    eq $D/backend soft
done
[ $refused -ge 3 ] || fail "only $refused times without descriptors"
limit $((used + 20))
same "30 harts" "$("$IO" write $D/harts 30)" EMFILE
limit 1024
eq $D/harts 1
eq $D/backend kvm
same "objects of the daemon after EMFILE" "$(held)" "1 1 1"
case $(tail -n 1 "$M/errors") in
*"ulimit -n"*) ;;
*) fail "it does not say what would help: $(tail -n 1 "$M/errors")" ;;
esac

# As many harts as this KVM makes, and one more.
put $D/harts 64
same "with 64 harts" "$(held)" "1 1 64"
put $D/harts 1

# Without KVM.
mv /dev/kvm /dev/kvm.away
mkdir "$M/aplic/b" || fail "mkdir aplic/b"
answer=$("$IO" write aplic/b/backend kvm)
mv /dev/kvm.away /dev/kvm
same "without /dev/kvm" "$answer" ENODEV
case $(tail -n 1 "$M/errors") in
*/dev/kvm*riscv64*soft*) ;;
*) fail "it does not say why: $(tail -n 1 "$M/errors")" ;;
esac

# A killed daemon, and an unmount.
kill -KILL "$pid"
wait_for 5 no_machines || fail "the VM has outlived the daemon"
vdf_unmount -l
mount_fs -o empty
mkdir "$M/$D" || fail "mkdir $D"
put $D/backend kvm
umount_fs
wait_for 5 no_machines || fail "the VM has outlived the mount"
