#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --probe without /dev/fuse, /dev/kvm and /dev/iommu, and with other files in their places.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/probe-lib.sh"

root_only
unshare -m true 2>/dev/null || skip "no mount namespace can be made"

# hide SCRIPT: a command line that runs another after SCRIPT in a mount namespace of its own.
hide() {
    printf '%s\n' '#!/bin/sh' "if [ -z \"\${hidden:-}\" ]; then hidden=1 exec unshare -m \"\$0\" \"\$@\"; fi" \
        "{ $1; } || exit 125" "exec \"\$@\"" >"$T/hide"
    chmod 755 "$T/hide"
}

# An empty /dev: no FUSE, no KVM, no iommufd.
hide 'mount -t tmpfs tmpfs /dev && mknod /dev/null c 1 3 && mknod /dev/full c 1 7'
probe nodev "$T/hide"
has nodev fuse device no "/dev/fuse answers ENOENT"
has nodev fuse passthrough no
has nodev kvm device no "/dev/kvm answers ENOENT"
has nodev kvm vm no
has nodev aia irqchip no "/dev/kvm answers ENOENT"
has nodev iommufd device no "/dev/iommu answers ENOENT"

# Files that look like the devices are not opened: a FIFO would wait for ever.
hide 'mount -t tmpfs tmpfs /dev && mknod /dev/null c 1 3 && mkfifo /dev/fuse && mknod /dev/kvm c 1 3'
probe wrong "$T/hide"
has wrong fuse device no
has wrong kvm device no
driver kvm && has wrong kvm device no "something else"
