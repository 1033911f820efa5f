#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The mount scripts about an APLIC with MSI delivery, with the kernel's device behind the files.
VDF_LIMIT=${VDF_LIMIT:-300}
. "$(dirname "$0")/common"

export VDF_LIMIT VDF_APLIC_BACKEND=kvm
for script in aplic-registers aplic-msi aplic-imsic aplic-window aplic-state aplic-traces; do
    "$vdf_root/tests/mount/$script.sh" || fail "$script has ended with $?"
done
