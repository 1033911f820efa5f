# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers of the scripts about --probe, read in after lib.sh.

# probe NAME [COMMAND...]: its table is $T/NAME, its JSON flattened is $T/NAME.json; both tell the same.
probe() {
    name=$1
    shift
    "$@" "$VDF_BIN" --probe >"$T/$name" 2>"$T/err" || fail "$name: --probe ends with $?: $(cat "$T/err")"
    [ ! -s "$T/err" ] || fail "$name: --probe says on standard error: $(cat "$T/err")"
    "$@" "$VDF_BIN" --probe=json >"$T/raw" || fail "$name: --probe=json ends with $?"
    "$IO" json "$T/raw" >"$T/$name.json" || fail "$name: --probe=json gives $(tail -n 1 "$T/$name.json")"
    if [ "$name" = plain ] && command -v python3 >/dev/null; then
        python3 -m json.tool "$T/raw" >/dev/null || fail "$name: python3 does not read the JSON"
    elif [ "$name" = plain ]; then
        skip_part "JSON as python3 reads it: python3 is not installed"
    fi
    LC_ALL=C awk '/^[a-z]+: / { part = $1 } /^  (yes|no ) / { print part, $1, $2 }' "$T/$name" >"$T/facts"
    LC_ALL=C awk '{ split($1, p, ".") } p[1] == "parts" && p[4] == "name" { gsub("\"", "", $2); n = $2 }
        p[4] == "available" { print p[2] ":", $2 == "true" ? "yes" : "no", n }' "$T/$name.json" >"$T/facts.json"
    [ -s "$T/facts" ] || fail "$name: --probe tells nothing"
    cmp -s "$T/facts" "$T/facts.json" ||
        fail "$name: table and JSON differ: $(diff "$T/facts" "$T/facts.json")"
    # Each missing thing has a reason.
    ! grep -E '^  no   [^ ]+ *(;.*)?$' "$T/$name" || fail "$name: a reason is missing"
}

# line NAME PART FACT: the line of a fact.
line() {
    awk -v part="$2:" -v fact="$3" '/^[a-z]+: / { in_part = $1 == part }
        in_part && $2 == fact { print }' "$T/$1" | grep . || fail "$1: $2 has no $3"
}

# has NAME PART FACT yes|no [TEXT]: it is there or not, and TEXT is in its line.
has() {
    found=$(line "$1" "$2" "$3") || exit 1
    case $found in
    "  $4 "*"${5:-}"*) ;;
    *) same "$1: $2 $3" "$found" "$4 ... ${5:-}" ;;
    esac
}

# driver NAME: a misc device's driver is there.
driver() {
    grep -qE "^ *[0-9]+ $1\$" /proc/misc
}

# can PATH DRIVER: yes or no: this user can open it, and its driver is there.
can() {
    if [ -c "$1" ] && [ -r "$1" ] && [ -w "$1" ] && driver "$2"; then
        echo yes
    else
        echo no
    fi
}
