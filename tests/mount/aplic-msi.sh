#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# APLIC with MSI delivery: from a wire to the interrupt file of a hart, and the log of MSIs.
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/aplic-lib.sh"

mount_aplic
D=aplic/aplic0

put $D/sourcecfg/1 4
[ "$("$IO" read $D/msi)" = EAGAIN ] || fail "there are MSIs already"
put $D/target/1 0x40005
put $D/setienum 1
put $D/wire/1 1
eq $D/pending 1
put $D/domaincfg 0x100
eq $D/pending ""
eq $D/imsic/1/pending 5
eq $D/imsic/0/pending ""
put $D/genmsi 7
eq $D/genmsi 0x00000007
put $D/genmsi 0x8003f009
eq $D/genmsi 0x80000009
put $D/genmsi 0x100
put $D/signal_msi '0x28000004 0x08000000'
same "the log of MSIs" "$("$IO" read $D/msi)" "hart=1 guest=0 eiid=5 delivered
hart=0 guest=0 eiid=7 delivered
hart=8192 guest=0 eiid=9 dropped
hart=0 guest=0 eiid=256 dropped
hart=0 guest=0 eiid=8 delivered"
eq $D/msi_lost 0
same "poll of the log" "$("$IO" poll $D/msi in 0)" in
put $D/signal_msi '0x30000000 9'
refuse ENODEV $D/signal_msi '0x28000008 9'
refuse ENODEV $D/signal_msi '0x28000000 0'
refuse EINVAL $D/signal_msi '0x28000000 256'
refuse EINVAL $D/signal_msi 5
refuse ERANGE $D/signal_msi '0x28000000 0x100000000'
same "a read of signal_msi" "$("$IO" pread $D/signal_msi 0 1)" EACCES
