# shellcheck shell=bash
# What the scripts in tools/ share. Sourced, never run.

# Ctrl-C ends the script, not only the program that runs: apt catches it and would let us go on.
trap 'printf "\\ninterrupted: run it again to go on\\n" >&2; exit 130' INT

say() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() { printf 'error: %s\n' "$1" >&2; shift; [ $# -eq 0 ] || printf '       %s\n' "$@" >&2; exit 1; }

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }
systemd_runs() { [ -d /run/systemd/system ]; }
engine_answers() { have docker && timeout 20 docker info >/dev/null 2>&1; }

# Two runs side by side (make demo, make test) wait for each other.
# A child that outlives the script must close descriptor 9, or the lock is never given back.
one_at_a_time() {
    local folder=/run
    is_root || folder=${XDG_RUNTIME_DIR:-$HOME}
    exec 9>"$folder/longshore-$1.lock"
    flock --nonblock 9 || { note "waiting for another run of tools/$1 to end"; flock 9; }
}

# --- apt ---------------------------------------------------------------------

APT_LOG=/var/log/longshore-apt.log
POLICY=/usr/sbin/policy-rc.d

# What apt says goes to its log; its last lines are shown when it fails.
apt_quiet() {
    local first_line
    first_line=$(($(wc -l 2>/dev/null <"$APT_LOG" || echo 0) + 1))
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Dpkg::Use-Pty=0 "$@" >>"$APT_LOG" 2>&1 9>&- && return
    tail -n "+$first_line" "$APT_LOG" | tail -n 15 >&2
    return 1
}

# `apt-get update` does not wait for its lock as `install` does, so someone else's run is waited for here.
apt_update() {
    local attempt
    for attempt in 1 2 3; do
        apt_quiet update && return
        [ "$attempt" -eq 3 ] || sleep 5
    done
    return 1
}

apt_offers() { [[ "$(apt-cache policy "$1" 2>/dev/null)" == *"Candidate: "[!\(]* ]]; }

# apt-get install that starts no service: without a service manager the packages' init scripts would
# start one inside this terminal, and a database server is started by the tests themselves.
# A subshell, so that its trap takes the policy away again however it ends.
apt_install_without_starting() (
    if [ ! -e "$POLICY" ] || grep -q longshore "$POLICY"; then
        trap 'rm -f "$POLICY"' EXIT
        printf '#!/bin/sh\n# longshore: no service starts during an installation\nexit 101\n' >"$POLICY"
        chmod 755 "$POLICY"
    fi
    finish_interrupted_dpkg
    apt_quiet install --no-install-recommends "$@"
)

finish_interrupted_dpkg() {
    [ -n "$(find /var/lib/dpkg/updates -type f 2>/dev/null)" ] || return 0
    note "finishing an installation that was interrupted (dpkg --configure -a)"
    DEBIAN_FRONTEND=noninteractive dpkg --configure -a >>"$APT_LOG" 2>&1
}

# Unpacked by dpkg, but never configured.
half_installed() { dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | grep -qE '^(unpacked|half-|triggers-)'; }

# --- where this host gets its Debian packages from ------------------------------

# One line per suite the host knows: URI, code name, the file that names it. apt itself reads both formats of sources.
host_suites() {
    # shellcheck disable=SC2016  # the $(...) are apt's own placeholders
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(SOURCESENTRY) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
        awk '$4 == "Debian" { sub(/:[0-9]+$/, "", $3); print $1, $2, $3 }' | sort -u
}

# The sources are only known once they were fetched; a freshly unpacked machine has none.
know_the_sources() { [ -n "$(host_suites)" ] || { is_root && apt_update; }; }

# shellcheck disable=SC1091
host_codename() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}"); }

# The mirror of the main archive, and the one of the security archive (may be empty).
debian_mirror() {
    if [ -n "${LONGSHORE_DEBIAN_MIRROR:-}" ]; then
        echo "$LONGSHORE_DEBIAN_MIRROR"
    else
        host_suites | awk -v suite="$(host_codename)" '$2 == suite && !seen++ { print $1 }'
    fi
}
security_mirror() { host_suites | awk '$2 ~ /-security$/ && !seen++ { print $1 }'; }

# The keyring the host's own sources name; Debian's where they name none.
debian_keyring() {
    local file keyring
    file=$(host_suites | awk -v suite="$(host_codename)" '$2 == suite && !seen++ { print $3 }')
    keyring=$(grep -oihE 'signed-by[:=][[:space:]]*/[^] ,]+' "${file:-/dev/null}" | head -n 1 | grep -oE '/.*' || true)
    printf '%s' "${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}"
}
