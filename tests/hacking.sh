#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The listing in HACKING.md is the device that the other tests run, and is as short as HACKING.md says.
set -eu
cd "$(dirname "$0")/.."

listing=$(awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' HACKING.md)
[ "$listing" = "$(cat tests/example/rtc/rtc.c)" ] || {
    echo "HACKING.md has another listing than tests/example/rtc/rtc.c" >&2
    exit 1
}
lines=$(wc -l <tests/example/rtc/rtc.c)
[ "$lines" -lt 80 ] || {
    echo "tests/example/rtc/rtc.c has $lines lines; HACKING.md promises fewer than 80" >&2
    exit 1
}
