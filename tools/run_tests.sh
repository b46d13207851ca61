#!/bin/bash
# Every test of the project on a machine that has nothing but Debian: makes its own Python environment, installs what is
# missing, starts private databases and a broker where a tier needs them, and removes them again.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

ROOT=$(dirname "$(dirname "$(readlink -f "$0")")")
PARTS=$ROOT/tools/stack
TIERS='lint unit contract api functional real'
VENV=${TEST_VENV:-$ROOT/.venv-tests}
STACK_DIR=$(realpath -m "${TEST_DIR:-/tmp/compute-tests-$$}")
STACK_VENV=''

for part in steps settings packages services units cloud down; do
    # shellcheck source=/dev/null
    . "$PARTS/$part.sh"
done
. "$ROOT/tools/tests/services.sh"
MODE=cluster DRIVER=libvirt PORT_BASE=${TEST_PORT_BASE:-23000}    # of the services of the real tier

usage() {
    cat <<END
Usage: tools/run_tests.sh [tier ...] [-- pytest arguments]

Run the tests; without tiers all of them, in this order: $TIERS

  lint        ruff, mypy, import layers, sizes
  unit        pure functions and single classes
  contract    one suite for the fakes and what they stand for
  api         the APIs over WSGI
  functional  all daemons in one process, over HTTP
  real        RabbitMQ, MariaDB, PostgreSQL, libvirt with a real guest, stack.sh

The last line is a summary as pytest's; the status is 0 only if nothing failed.

Environment:
  TEST_VENV       Python environment (default: .venv-tests; made if it is missing)
  TEST_PORT_BASE  first port for the services of the real tier (now $PORT_BASE)
  TEST_GUEST      a guest image to use instead of building one
  CONCURRENCY     eventlet or threading: of every daemon of a test that does not try both, and of the tests of single
                  parts themselves (without: as each test says)
END
}

parse() {
    CHOSEN=()
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage; exit 0 ;;
            --) shift; break ;;
            *) [[ " $TIERS " == *" $1 "* ]] || { usage >&2; refuse "there is no tier $1"; }
               CHOSEN+=("$1") ;;
        esac
        shift
    done
    PYTEST_ARGUMENTS=("$@")
    [ ${#CHOSEN[@]} -gt 0 ] || read -ra CHOSEN <<<"$TIERS"
}

chosen() { [[ " ${CHOSEN[*]} " == *" $1 "* ]]; }

main() {
    parse "$@"
    [ -z "${CONCURRENCY:-}" ] || export COMPUTE_CONCURRENCY=$CONCURRENCY
    mkdir -p "$STACK_DIR/run" "$LOGS"
    chmod 755 "$STACK_DIR"
    trap finish EXIT
    SECONDS=0
    step packages    install_test_packages    'run as root, or install the packages named above yourself'
    step environment make_test_environment    'see whether pip reaches its index (PIP_INDEX_URL, proxies, certificates)'
    STACK_VENV=$VENV
    if chosen real; then
        step configuration write_configuration "see $LOGS"
        step broker      start_broker         'see the log of rabbitmq'
        step mariadb     start_database       'see the log of mariadb'
        step postgresql  start_postgresql     'see the log of postgresql'
        step image       build_test_image     'see tools/build_guest_image --help'
        export_services
    fi
    echo
    "$VENV/bin/python" "$ROOT/tools/tests/run.py" --reports "$STACK_DIR/reports" "${CHOSEN[@]}" -- "${PYTEST_ARGUMENTS[@]}"
}

main "$@"
