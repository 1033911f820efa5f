#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --probe on a host whose KVM has the AIA and whose processor vm/ does not support.
. "$(dirname "$0")/common"
. "$vdf_root/tests/mount/probe-lib.sh"

probe plain
has plain aia irqchip yes "mode=auto  ids=255"
has plain kvm device yes api=12
has plain kvm vm no "virtual machines need an x86-64 processor"
has plain fuse device yes
