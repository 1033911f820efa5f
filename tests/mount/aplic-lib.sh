# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For scripts about a device with MSI delivery that run with both backends; sourced after lib.sh.
#
#   VDF_APLIC_BACKEND   soft, or kvm on a riscv64 host whose KVM has the device
backend=${VDF_APLIC_BACKEND:-soft}

# mount_aplic: mount_fs, and give the device of a plain mount this backend.
mount_aplic() {
    mount_fs
    [ "$backend" = soft ] || change_backend aplic/aplic0 "$backend"
}

# change_backend DEVICE BACKEND: a new device with the state of the old one.
change_backend() {
    cp "$M/$1/state" "$T/changing" || fail "cp of the state of $1"
    rmdir "$M/$1" || fail "rmdir $1"
    mkdir "$M/$1" || fail "mkdir $1"
    put "$1/backend" "$2"
    cp "$T/changing" "$M/$1/state" || fail "$2 refuses the state: $(tail -n 1 "$M/errors")"
    eq "$1/backend" "$2"
    cmp "$T/changing" "$M/$1/state" || fail "the state differs with backend $2"
}
