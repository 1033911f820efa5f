#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# No layer uses a symbol of a layer that it does not name, and none includes a file of another folder.
#
#   layers.sh FILE      FILE has a line for each layer: its name, its archive, the layers that it names
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

declare -A archive below
while read -r name path names; do
    archive[$name]=$path below[$name]=$names
done <"$1"
[ "${#archive[@]}" -gt 8 ] || { echo "$1: only ${#archive[@]} layers" >&2; exit 1; }

# reach LAYER: the layer and all below it.
reach() {
    local name
    echo "$1"
    for name in ${below[$1]}; do
        reach "$name"
    done
}

# symbols KIND ARCHIVE...: its project symbols; U are those that it needs, others those that it has.
symbols() {
    local kind=$1
    shift
    nm "$@" 2>/dev/null | awk -v kind="$kind" '
        $NF ~ /^vdf_/ && NF >= 2 && ((kind == "U") == ($(NF - 1) == "U")) { print $NF }' | sort -u
}

bad=0
for name in "${!archive[@]}"; do
    mapfile -t usable < <(for layer in $(reach "$name" | sort -u); do echo "${archive[$layer]}"; done)
    missing=$(comm -23 <(symbols U "${archive[$name]}") <(symbols all "${usable[@]}"))
    if [ -n "$missing" ]; then
        echo "$name uses what is in none of the layers below it:" "${missing//$'\n'/ }" >&2
        bad=1
    fi
done

# Folders are entered through the include path only, where the build names the folders of a layer.
if grep -nE '^#include "(\.\./|.*/)' "$root"/fs/*/*.[ch] "$root"/backends/*/*.[ch] >&2; then
    echo "a file of another folder is included by its path" >&2
    bad=1
fi
exit $bad
