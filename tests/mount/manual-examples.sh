#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The manual's examples that need no hardware print the output in the manual.
. "$(dirname "$0")/lib.sh"
mount_fs

# An example begins in /run/vdf. After "# " stands a command, after "> " how it goes on, elsewhere what is
# printed. Those with hardware of the host, and those with a remark in parentheses, are for people.
split() {
    awk -v out="$T/example" '
        /^\.Bd / { text = ""; next }
        /^\.Ed/ {
            if (text ~ /^# (mkdir -p \/run\/vdf|cd \/run\/vdf)/ && text !~ /iommufd|vfio|bar\/0|\n\(/)
                printf "%s", text >(out "." ++n)
            else if (text ~ /^# printf/ && n)
                printf "%s", text >>(out "." n)
            next
        }
        { text = text $0 "\n" }' "$1"
}

n=0
for page in tools/virtdevfs.8 tools/virtdevfs-tree.5.in; do
    rm -f "$T"/example.*
    split "$vdf_root/$page"
    for example in "$T"/example.*; do
        [ -e "$example" ] || fail "$page has no examples"
        sed 's/\\e/\\/g' "$example" >"$T/text"
        grep -v '^[#>] ' "$T/text" >"$T/wanted"
        sed -n 's/^[#>] //p' "$T/text" | sed "s,/run/vdf,$M,g; s,mkdir -p $M && virtdevfs $M && ,," >"$T/commands"
        timeout 20 sh -eu "$T/commands" >"$T/got" 2>"$T/err" || fail "$page: $(cat "$T/err" "$T/commands")"
        same "what $(head -n 2 "$T/commands") prints" "$(cat "$T/got")" "$(cat "$T/wanted")"
        n=$((n + 1))
    done
done
[ $n -ge 3 ] || fail "only $n examples were found"
