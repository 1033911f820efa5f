#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# APLIC with MSI delivery: every register as a file, pending bits, wires.
#
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/aplic-lib.sh"

mount_aplic
D=aplic/aplic0

# Registers: 96 sources take four words.
same "sources" "$(find "$M/$D/sourcecfg" -type f | wc -l)" 96
same "targets" "$(find "$M/$D/target" -type f | wc -l)" 96
for file in setip in_clrip setie clrie; do
    same "words of $file" "$(find "$M/$D/$file" -type f | wc -l)" 4
    eq $D/$file/3 0x00000000
done
put $D/domaincfg 0xffffffff
eq $D/domaincfg 0x80000104
put $D/domaincfg 0
eq $D/domaincfg 0x80000004
refuse ERANGE $D/domaincfg 0x100000000
refuse EINVAL $D/domaincfg on
put $D/sourcecfg/5 0x4
eq $D/sourcecfg/5 0x00000004
put $D/sourcecfg/5 0b1010
eq $D/sourcecfg/5 0x00000002
put $D/sourcecfg/5 0x407
eq $D/sourcecfg/5 0x00000000
put $D/target/5 0xffffffff
eq $D/target/5 0xfffff7ff
put $D/setie/0 0xffffffff
eq $D/setie/0 0xfffffffe
put $D/setie/3 0xffffffff
eq $D/setie/3 0x00000001
put $D/clrie/0 0xffffff0f
eq $D/setie/0 0x000000f0
eq $D/clrie/0 0x00000000
put $D/clrienum 7
put $D/setienum 1
eq $D/enabled "1
4
5
6
96"
put $D/clrie/0 0xffffffff
put $D/clrie/3 0xffffffff
eq $D/enabled ""
for file in setipnum clripnum setienum clrienum setipnum_le setipnum_be; do
    put $D/$file 97
    put $D/$file 0
    put $D/$file 0xffffffff
    eq $D/$file 0x00000000
done
eq $D/pending ""

# Pending bits of detached sources.
for source in 33 34 35 36; do
    put $D/sourcecfg/$source 1
done
put $D/setip/1 0x2
put $D/setipnum 34
put $D/setipnum_le 35
put $D/setipnum_be 0x24000000
eq $D/setip/1 0x0000001e
eq $D/pending "33
34
35
36"
put $D/in_clrip/1 0x6
put $D/clripnum 35
eq $D/pending 36
put $D/clripnum 36

# A wire: edge, then level; it reads what was written.
put $D/sourcecfg/1 4
put $D/wire/1 1
eq $D/wire/1 1
eq $D/in_clrip/0 0x00000002
eq $D/pending 1
put $D/clripnum 1
put $D/wire/1 1
eq $D/pending ""
put $D/wire/1 0
put $D/sourcecfg/2 7
eq $D/in_clrip/0 0x00000004
put $D/wire/2 0
eq $D/pending 2
put $D/wire/2 1
eq $D/pending 2
put $D/setip/0 0x4
put $D/clripnum 2
put $D/setipnum 2
eq $D/pending ""
refuse ENODEV $D/wire/97 1
refuse ENODEV $D/wire/1023 0
refuse EINVAL $D/wire/1 2
eq $D/wire/97 0
