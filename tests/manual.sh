#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The manual pages named as arguments have no mistakes in their markup, and no quote within a quote, which
# is what macros on one line give that were meant to stand one after the other.
command -v mandoc >/dev/null || {
    echo "skipped: mandoc is not installed"
    exit 77
}
status=0
for page; do
    # Pages that this one refers to need not be installed here, and the length of a source's line is no mistake.
    found=$(mandoc -T lint -W style "$page" 2>/dev/null |
        grep -v -e 'referenced manual not found' -e 'input text line longer than')
    [ -z "$found" ] || {
        echo "$found"
        status=1
    }
    # shellcheck disable=SC1112 # the quotes are those that mandoc prints
    nested=$(mandoc -T utf8 "$page" 2>/dev/null | sed "s,.$(printf '\b'),,g" | tr '\n' ' ' | grep -o '‘[^’]\{0,60\}‘[^’]*’')
    [ -z "$nested" ] || {
        echo "$page: quotes within quotes: $nested"
        status=1
    }
    mandoc -T utf8 "$page" >/dev/null 2>&1 || status=1
done
exit $status
