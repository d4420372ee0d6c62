#!/usr/bin/env bash
# ./deploy.sh plan               what apply would create, change, delete and leave
# ./deploy.sh apply [--yes]      a timer in the cloud; --rollback goes back to the version before
# ./deploy.sh destroy [--yes]    deletes what apply has made; --delete-state its state too
# ./deploy.sh status             what is deployed, its runs and open plans, and whether roles are missing
# ./deploy.sh package FILE.zip   the archive for the cloud
# ./deploy.sh local              a deployment and two of its runs on this machine, against the emulator
# ./deploy.sh help               this; each of the first four has its own --help
# The first four take --config FILE (janitor.toml). registry-janitor deploy has all but local.
set -euo pipefail
umask 077

script=${BASH_SOURCE[0]}
while [ -L "$script" ]; do
    target=$(readlink "$script")
    case $target in
        /*) script=$target ;;
        *) script=$(dirname "$script")/$target ;;
    esac
done
root=$(cd "$(dirname "$script")" && pwd)

usage() {
    sed -n '2,9s/^# //p' "$script"
}

misused() {
    usage >&2
    echo "$1" >&2
    exit 2
}

cloud() {
    local python
    python=$("$root/tests/environment" --deploy)
    PYTHONPATH="$root" PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 exec "$python" -m functions deploy "$@"
}

# Needs no packages, and so not the verb of the same name.
package() {
    [ $# -eq 1 ] || misused "package takes one word, the name of the file to write."
    local python
    python=$("$root/tests/environment" --python)
    PYTHONPATH="$root" PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 "$python" -m shared.deploy.package "$1"
}

local_run() {
    [ $# -eq 0 ] || misused "local takes no words."
    local python
    python=$("$root/tests/environment")
    cd "$root"
    exec "$python" -m tests.local
}

case "${1-}:${2-}" in
    plan:* | apply:* | destroy:* | status:*) cloud "$@" ;;
    help:* | --help:* | -h:* | package:--help | package:-h | local:--help | local:-h) usage ;;
    package:*) shift && package "$@" ;;
    local:*) shift && local_run "$@" ;;
    :*) misused "A verb is missing." ;;
    *) misused "There is no verb $1." ;;
esac
