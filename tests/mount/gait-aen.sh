#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Adapter event notification is set up and ended in the way of a host's kernel.
. "$(dirname "$0")/lib.sh"

mount_fs
g=gait/gait0
eq $g/nisc 5
eq $g/enabled 0
eq $g/aipb/faisb 0x0000000000000000
eq $g/aipb/gait 0x0000000000000000
eq $g/aipb/afi 0
eq $g/aipb/faal 0
eq $g/sic_mode all
eq $g/sic_armed 0
eq $g/sic_fail 0
eq $g/sbv_end 0
for count in aen_forward alerts dropped interrupts; do
    eq $g/$count 0
done

# A failure of the first SIC leaves nothing behind, once.
refuse EINVAL $g/nisc 8
put $g/nisc 3
put $g/sic_fail 1
refuse EIO $g/enabled 1
eq $g/sic_fail 0
eq $g/enabled 0
eq $g/aipb/faal 0
eq $g/sic_mode all

put $g/nisc 4
put $g/enabled 1
eq $g/enabled 1
eq $g/aipb/faisb 0x0000000000012000
eq $g/aipb/gait 0x0000000000010000
eq $g/aipb/afi 4
eq $g/aipb/faal 512
eq $g/sic_mode single
eq $g/sic_armed 1
refuse EPERM $g/enabled 1
refuse EINVAL $g/enabled 2

# The block outlives the end, and the next set-up has to use its ISC.
put $g/entries/33/gisc 6
put $g/enabled 0
put $g/enabled 0
eq $g/aipb/afi 4
eq $g/aipb/faal 512
put $g/nisc 5
refuse EINVAL $g/enabled 1
put $g/nisc 4
put $g/sic_fail 1
refuse EIO $g/enabled 1
eq $g/enabled 0
eq $g/aipb/faal 512
put $g/enabled 1
eq $g/entries/33/gisc 6

# AEN cannot end while a function is registered.
mkdir "$M/$g/guests/vm" "$M/$g/functions/f" || fail "mkdir failed"
put $g/functions/f/guest vm
put $g/functions/f/registered 1
refuse EBUSY $g/enabled 0
put $g/functions/f/registered 0
put $g/enabled 0
refuse EBUSY $g/functions/f/registered 1

# Another device is not affected.
mkdir "$M/gait/other" || fail "mkdir failed"
eq gait/other/aipb/faal 0
put gait/other/nisc 7
put gait/other/enabled 1
eq gait/other/aipb/afi 7
rmdir "$M/gait/other" || fail "rmdir failed"
