#!/usr/bin/env bash
# Makes the virtual environment named by the first argument, with exactly what requirements.lock pins, and puts the
# project into it, and the example packages that the other arguments name. Called by `make setup` when the lock or pyproject.toml changed; it may be repeated at any time.
set -euo pipefail
cd "$(dirname "$0")"

venv=$1
shift

fits() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
        if fits "$candidate"; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "Python 3.11 or later with its venv module is needed (on Debian: python3 and python3-venv); PYTHON=... names one that is not on the path." >&2
        exit 1
    fi
    echo "Setting up $venv with $("$python" --version); the first time takes about a minute."
    "$python" -m venv --clear "$venv"
fi

# The lock is complete, the project's own build tool included, so nothing is resolved and nothing is fetched that has no
# hash. (With resolving, pip looks at the newest release of what another package wants with an extra, and refuses it.)
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$venv/bin/python" -m pip install -qq --no-deps --require-hashes --requirement requirements.lock
"$venv/bin/python" -m pip install -qq --no-deps --no-build-isolation --no-index --editable . "${@/#/--editable=./}"
"$venv/bin/python" -m pip check --quiet
