#!/bin/bash
# Brings up a stack of fake hosts of its own, measures it and takes it down: tools/bench/run.sh [HOSTS [options of bench stack]]
set -euo pipefail

ROOT=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
HOSTS=${1:-100}
shift || true
export STACK_DIR=${BENCH_DIR:-/var/tmp/compute-bench}
trap '"$ROOT/tools/stack.sh" down' EXIT

"$ROOT/tools/stack.sh" --cluster --fake --hosts "$HOSTS" --port-base "${BENCH_PORT_BASE:-24000}"
echo
PROGRAMS=$(. "$STACK_DIR/openrc" && dirname "$(command -v compute-manage)")
"$PROGRAMS/python" "$ROOT/tools/bench" stack --stack "$STACK_DIR" "$@"
