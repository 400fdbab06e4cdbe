# Shared by ./run, ./test and tools/*: sourced, never run. Expects `root`, the folder of the project.
# shellcheck shell=bash disable=SC2154

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Compilations at once: TIDAL_JOBS, else one per core, but no more than one per GiB of free memory
# (the largest translation units need 0.7 GiB).
job_count() {
    if [ -n "${TIDAL_JOBS:-}" ]; then
        echo "$TIDAL_JOBS"
        return
    fi
    awk -v cores="$(nproc)" '/^MemAvailable:/ { jobs = int($2 / 1048576) }
        END { if (jobs < 1) jobs = 1; print jobs < cores ? jobs : cores }' /proc/meminfo
}

# install_packages build|test: installs what tools/packages.txt lists for that purpose and is missing.
install_packages() {
    local wanted missing sudo=""
    wanted=$(awk -v purpose="$1" '!/^#/ && NF > 0 && (NF == 1 || $2 == purpose) { print $1 }' \
        "$root/tools/packages.txt")
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "not a Debian system: these Debian 12 packages must be there in some form:" $wanted
        return
    fi
    missing=$(comm -23 <(sort <<<"$wanted") \
        <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
            awk '$1 == "installed" { print $2 }' | sort))
    [ -z "$missing" ] && return
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "missing packages, and neither root nor sudo: install them with" \
                "apt-get install --no-install-recommends $(tr '\n' ' ' <<<"$missing")"
        sudo=sudo
    fi
    step "installing" $missing
    # --no-remove: Boost 1.74's headers exclude 1.81's; better to stop than to take them away.
    $sudo env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get update -q && apt-get install -q -y --no-install-recommends --no-remove "$@"' \
        sh $missing ||
        die "installing failed (above). If libboost-dev 1.74 is installed, remove it first:" \
            "apt-get remove libboost-dev; the packages needed are in tools/packages.txt"
}
