# Steps: each is a function that is run with its output in a log, timed, and explained when it fails.
# A step says what it did with `done_with TEXT`, or `already TEXT` when there was nothing to do.

STEPS=()          # name, seconds, outcome, separated by tabs; for the table at the end
LOGS=$STACK_DIR/logs
SAID=$STACK_DIR/run/said

begin_run() {
    mkdir -p "$STACK_DIR/run" "$LOGS"
    chmod 755 "$STACK_DIR"
    exec 9>"$STACK_DIR/run/lock"
    flock -n 9 || { echo "stack.sh: another stack.sh works on $STACK_DIR" >&2; exit 1; }
    SECONDS=0
    printf 'A %s cloud with %s in %s\n\n' "$MODE" "$(hypervisor_words)" "$STACK_DIR"
}

now() { date +%s.%N; }

since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

done_with() { printf '%s' "$*" >"$SAID"; }

already() { printf 'already: %s' "$*" >"$SAID"; }

note() { printf '%s: %s\n' "$(date +%T)" "$*"; }

# step NAME FUNCTION REMEDY: run FUNCTION in a shell of its own that ends at the first error.
step() {
    local name=$1 function=$2 remedy=$3 begin status seconds said
    local log=$LOGS/stack-$name.log
    begin=$(now)
    : >"$SAID"
    printf '  %-14s ' "$name"
    set +e
    ( set -e; exec 9>&-; "$function" ) >"$log" 2>&1
    status=$?
    set -e
    seconds=$(since "$begin")
    said=$(cat "$SAID")
    if [ "$status" != 0 ]; then
        printf 'FAILED after %s s\n\n' "$seconds"
        explain_failure "$name" "$log" "$remedy"
        exit 1
    fi
    printf '%6s s  %s\n' "$seconds" "$said"
    STEPS+=("$name"$'\t'"$seconds"$'\t'"$said")
}

explain_failure() {
    local name=$1 log=$2 remedy=$3
    {
        echo "The step '$name' failed. The end of its log:"
        tail -n 15 "$log" | sed 's/^/    /'
        echo "Log:    $log"
        echo "Remedy: $remedy"
        echo "Then run the same command again; it continues."
    } >&2
}

# wait_for SECONDS COMMAND...: 0 as soon as COMMAND works; 1 when it still does not after SECONDS.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { note "still not after a while: $*"; "$@" || return 1; }
        sleep 0.2
    done
}

hypervisor_words() {
    if [ "$DRIVER" = fake ]; then
        echo "$HOSTS fake host$([ "$HOSTS" = 1 ] || echo s)"
    else
        echo 'real guests'
    fi
}

end_run() {
    rm -f "$SAID"
    printf '\n%s s in all.\n' "$SECONDS"
}
