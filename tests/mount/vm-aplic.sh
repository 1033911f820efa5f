#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest gets the MSIs of an APLIC, and stores to the page of an IMSIC.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/vm-common"

mount_fs
need_kvm

machine irq long aplic
put aplic/aplic0/imsic/0/eidelivery 1
put aplic/aplic0/imsic/0/enabled "7 9"
slot irq 0 aplic/aplic0 0x10000000 msi
slot irq 1 aplic/aplic0/imsic/0 0x20000000 ""
eq vm/irq/slots/0/size 16384
eq vm/irq/slots/1/size 4096
put vm/irq/run 1
says irq "imsic arrived"
put aplic/aplic0/wire/4 1
says irq "wire arrived"
ends irq 0
same "lines of msi" "$("$IO" read aplic/aplic0/msi 4096)" "hart=0 guest=0 eiid=7 delivered
hart=0 guest=0 eiid=7 delivered
hart=0 guest=0 eiid=9 delivered"
rmdir "$M/vm/irq" || fail "rmdir vm/irq, with its slots"
[ -d "$M/aplic/aplic0" ] || fail "the device went with the machine"
