# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An emulated machine in which scripts run one after the other and report their results to the host, for
# testkernel.sh and riscv64.sh. Read in after lib.sh.
#
#   machine_begin FOLDER [--mount|--shell|NAME...]   what is to run: all scripts of the folder, those of
#                                            tests/mount, a shell for a person, or these
#   machine_initrd BUSYBOX                   $T/cpio: $T/initrd with the first process, FOLDER/init, and
#                                            the job for it
#   rings=io_uring                           before that: the kernel has FUSE over io_uring
#   machine_run COMMAND...                   run the machine to its end, and print TAP
#
# The machine sees $out_folder as /run/out, tag `out` of a 9p device, and runs machine-run there.
out_folder=$T/out

# --- what to run ---------------------------------------------------------------------------------------

# find_script NAME: its path.
find_script() {
    for candidate in "$1" "$here/$1" "$here/$1.sh"; do
        if [ -f "$candidate" ] && [ -x "$candidate" ]; then
            realpath "$candidate"
            return
        fi
    done
    return 1
}

# Each mount script once: every other one with the other engine, and where the kernel has $rings half of them with
# requests that come through them.
list_mount_scripts() {
    n=0
    for script in "$vdf_root"/tests/mount/*.sh; do
        case $script in
        */lib.sh | */*-lib.sh) continue ;;
        */daemon-*) options= ;;
        *) options=${rings:+transport=$([ $((n % 4)) -lt 2 ] && echo dev || echo "$rings")} ;;
        esac
        engine=$([ $((n % 2)) = 0 ] && echo io_uring || echo libaio)
        printf '%s\n' "VDF_ENGINE=$engine" "VDF_OPTIONS=$options" "$script"
        n=$((n + 1))
    done
}

# The scripts, and before some of them variables, are lines of $T/list.
machine_begin() {
    here=$1
    shift
    jobs=1
    shell=
    case ${1:-} in
    '')
        for script in "$here"/*.sh; do
            echo "$script"
        done
        ;;
    --mount)
        # More than there are processors, as they wait a lot.
        jobs=3
        list_mount_scripts
        ;;
    --shell) shell=1 ;;
    *)
        for script; do
            find_script "$script" || fail "there is no scenario $script"
        done
        ;;
    esac >"$T/list"
    count=$(grep -cv '^[A-Z_]*=' "$T/list")
    mkdir "$out_folder" || fail "$out_folder cannot be made"
    boots=$(date +%s)
}

# --- the machine ---------------------------------------------------------------------------------------

# quoted WORD: for a shell.
quoted() {
    printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

machine_initrd() {
    [ -x "$VDF_BIN" ] || fail "$VDF_BIN is missing; build it or set VDF_BIN"
    mkdir -p "$T/initrd" && cp "$here/init" "$T/initrd/" && chmod 755 "$T/initrd/init" || return
    build=$(dirname "$VDF_BIN")
    {
        for variable in VDF_BIN="$VDF_BIN" VDF_IO="$IO" VDF_NORING="$build/tests/noring" \
            VDF_GUESTS="$build/tests/guests" VDF_ENGINE=auto VDF_SLOW=4 HOME=/root LANG=C \
            VDF_VM_FULL="${VDF_VM_FULL:-}" \
            VDF_OPERATIONS="${VDF_OPERATIONS:-}" VDF_SEED="${VDF_SEED:-}" TMPDIR=/run/tmp; do
            echo "export ${variable%%=*}=$(quoted "${variable#*=}")"
        done
        if [ -n "$shell" ]; then
            printf 'set -- setsid %s' "$(quoted "$vdf_root/tests/vm/machine-shell")"
        else
            printf 'set -- %s %s' "$(quoted "$vdf_root/tests/vm/machine-run")" "$jobs"
        fi
        while read -r word; do
            printf ' %s' "$(quoted "$word")"
        done <"$T/list"
        echo
    } >"$T/initrd/job"
    (cd "$T/initrd" && find . | sort | "$1" cpio -o -H newc -R 0:0 2>/dev/null) >"$T/cpio"
}

# --- what comes of it ----------------------------------------------------------------------------------

number=0
bad=0
finished=

# report VERDICT SECONDS NAME [REASON]: a scenario of the machine's own is never skipped, as all that it needs
# is there.
report() {
    number=$((number + 1))
    verdict=$1
    [ "$verdict" != skipped ] || [ ! -e "$here/$3.sh" ] || verdict=skips
    case $verdict in
    passed)
        echo "ok $number - $3 ($2 s)"
        grep -e '^# ' -e ': skipped part: ' "$out_folder/$3.log"
        ;;
    skipped) echo "ok $number - $3 ($2 s) # SKIP $4" ;;
    *)
        bad=$((bad + 1))
        echo "not ok $number - $3 ($2 s) $4"
        sed 's/^/# /' "$out_folder/$3.log"
        ;;
    esac
}

# Lines that have come since the last look.
report_news() {
    tail -n "+$((number + 1))" "$out_folder/results" 2>/dev/null >"$T/news"
    while read -r verdict seconds name reason; do
        if [ "$verdict" = "done" ]; then
            finished="$seconds s"
        else
            report "$verdict" "$seconds" "$name" "$reason"
        fi
    done <"$T/news"
}

machine_run() {
    if [ -n "$shell" ]; then
        "$@" || fail "the machine cannot be run"
        return
    fi
    guest_start "$@"
    echo "1..$count"
    until guest_gone; do
        report_news
        sleep 0.3
    done
    report_news
    cat "$out_folder/speed"
    [ -n "$finished" ] || fail "the machine has ended after $number of $count scripts"
    echo "# $count scripts in $finished, $(($(date +%s) - boots)) s with the boot"
    [ $bad = 0 ] || fail "$bad of $count scripts have failed"
}
