#!/bin/bash
# The tests of the project on a machine that has nothing but Debian: makes its own Python environment, installs what is
# missing, starts private databases and a broker where a tier needs them, and removes them again.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

ROOT=$(dirname "$(dirname "$(readlink -f "$0")")")
PARTS=$ROOT/tools/stack
TIERS='lint unit contract api functional real'    # the gate
ENDURANCE_MINUTES=${ENDURANCE_MINUTES:-10}
VENV=${TEST_VENV:-$ROOT/.venv-tests}
STACK_DIR=$(realpath -m "${TEST_DIR:-/tmp/compute-tests-$$}")
STACK_VENV=''

for part in steps settings checks packages services units cloud down; do
    # shellcheck source=/dev/null
    . "$PARTS/$part.sh"
done
. "$ROOT/tools/tests/services.sh"
STACK_UNITS=no    # also on a machine with systemd: the services of a run are its own processes
MODE=cluster DRIVER=libvirt PORT_BASE=${TEST_PORT_BASE:-23000}    # of the services of the real tier

usage() {
    cat <<END
Usage: tools/run_tests.sh [tier ...] [-- pytest arguments]
       tools/run_tests.sh endurance [--minutes N] [-- pytest arguments]

Run the gate: the tests that decide whether a change is good. Each waits for events and asserts what happened, not how
long it took. Without tiers all of these run, those that wait beside those that compute:

  lint        ruff, mypy, import layers, sizes
  unit        pure functions and single classes
  contract    one suite for the fakes and what they stand for
  api         the APIs over WSGI
  functional  all daemons in one process, over HTTP
  real        RabbitMQ, MariaDB, PostgreSQL, libvirt with a real guest, stack.sh

Run the endurance set, before a release and for the notes that close an issue:

  endurance   load, soak, growth, memory, speed and lag, the whole table of stages and faults; each test prints its
              figures and a verdict. --minutes N: how long the soak lasts (default: $ENDURANCE_MINUTES); all the rest
              takes about half an hour more. Run it on a machine that does nothing else.

The last line is a summary as pytest's; the status is 0 only if nothing failed.

Environment:
  TEST_VENV       Python environment (default: .venv-tests; made if it is missing)
  TEST_PORT_BASE  first port for the services of the real tier (now $PORT_BASE)
  TEST_GUEST      a guest image to use instead of building one
  ENDURANCE_REPORT  a file in which the endurance set keeps its figures
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
            --minutes) [[ ${2:-} =~ ^[0-9]+$ ]] || { usage >&2; refuse "--minutes takes a whole number"; }
                       ENDURANCE_MINUTES=$2; shift ;;
            *) [[ " $TIERS endurance " == *" $1 "* ]] || { usage >&2; refuse "there is no tier $1"; }
               CHOSEN+=("$1") ;;
        esac
        shift
    done
    PYTEST_ARGUMENTS=("$@")
    [ ${#CHOSEN[@]} -gt 0 ] || read -ra CHOSEN <<<"$TIERS"
}

# The tiers that need a broker, databases and a guest image.
needs_services() { chosen real || chosen endurance; }

chosen() { [[ " ${CHOSEN[*]} " == *" $1 "* ]]; }

# Two runs on the same ports would share their databases.
PORT_HOLDER=/tmp/compute-tests-ports-$PORT_BASE
hold_ports() {
    local other
    other=$(cat "$PORT_HOLDER" 2>/dev/null || true)
    if [ -n "$other" ] && grep -aq run_tests.sh "/proc/$other/cmdline" 2>/dev/null; then
        refuse "run $other uses the ports from $PORT_BASE on; wait for its end, or set TEST_PORT_BASE"
    fi
    echo $$ >"$PORT_HOLDER"
}

main() {
    parse "$@"
    ! needs_services || hold_ports
    [ -z "${CONCURRENCY:-}" ] || export COMPUTE_CONCURRENCY=$CONCURRENCY
    mkdir -p "$STACK_DIR/run" "$LOGS"
    chmod 755 "$STACK_DIR"
    trap finish EXIT
    SECONDS=0
    step packages    install_test_packages    'run as root, or install the packages named above yourself'
    step environment make_test_environment    'see whether pip reaches its index (PIP_INDEX_URL, proxies, certificates)'
    STACK_VENV=$VENV
    if needs_services; then
        step configuration write_configuration "see $LOGS"
        step broker      start_broker         'see the log of rabbitmq'
        step mariadb     start_database       'see the log of mariadb'
        step postgresql  start_postgresql     'see the log of postgresql'
        step image       build_test_image     'see tools/build_guest_image --help'
        export_services
        export ENDURANCE_MINUTES
    fi
    echo
    "$VENV/bin/python" "$ROOT/tools/tests/run.py" --reports "$STACK_DIR/reports" "${CHOSEN[@]}" -- "${PYTEST_ARGUMENTS[@]}"
}

main "$@"
