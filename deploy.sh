#!/usr/bin/env bash
# ./deploy.sh package FILE.zip   the archive for the cloud
# ./deploy.sh local              a clean-up from end to end on this machine, against the emulator
set -euo pipefail
umask 077

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

package() {
    [ $# -eq 1 ] || usage
    local python
    python=$("$root/tests/environment" --python)
    PYTHONPATH="$root" PYTHONDONTWRITEBYTECODE=1 "$python" -m shared.deploy.package "$1"
}

local_run() {
    [ $# -eq 0 ] || usage
    local python
    python=$("$root/tests/environment")
    cd "$root"
    exec "$python" -m tests.local
}

case "${1-}" in
    package) shift && package "$@" ;;
    local) shift && local_run "$@" ;;
    *) usage ;;
esac
