# Steps: each is a function that is run with its output in a log, timed, and explained when it fails.
# A step says what it did with `done_with TEXT`, or `already TEXT` when there was nothing to do.

STEPS=()          # name, seconds, outcome, separated by tabs; for the table at the end
LOGS=$STACK_DIR/logs
SAID=$STACK_DIR/run/said
INTERRUPTED=''    # Ctrl-C was pressed
GROUP=''          # the process group of the step that runs

begin_run() {
    mkdir -p "$STACK_DIR/run" "$LOGS"
    chmod 755 "$STACK_DIR"
    trap 'INTERRUPTED=1; end_group "$GROUP"' INT
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
    local name=$1 function=$2 remedy=$3 begin status seconds said progress
    local log=$LOGS/stack-$name.log
    begin=$(now)
    : >"$SAID"
    printf '  %-14s ' "$name"
    : >"$log"
    show_progress "$name" "$log" 9>&- &
    progress=$!
    set +e
    run_apart "$function" >"$log" 2>&1 </dev/null
    status=$?
    kill "$progress" 2>/dev/null
    wait "$progress" 2>/dev/null
    set -e
    seconds=$(since "$begin")
    if [ -t 2 ]; then
        printf '\r\033[K  %-14s ' "$name" >&2
    elif [ "${seconds%.*}" -ge 20 ]; then
        printf '\n  %-14s ' "$name" >&2
    fi
    said=$(cat "$SAID")
    if [ -n "$INTERRUPTED" ]; then
        printf 'interrupted after %s s\n\nRun the same command again; it continues.\n' "$seconds"
        exit 130
    elif [ "$status" != 0 ]; then
        printf 'FAILED after %s s\n\n' "$seconds"
        explain_failure "$name" "$log" "$(fitting_remedy "$log" "$remedy")"
        exit 1
    fi
    printf '%6s s  %s\n' "$seconds" "$said"
    STEPS+=("$name"$'\t'"$seconds"$'\t'"$said")
}

# run_apart FUNCTION: run it in a shell and a process group of its own, and return its status. Ctrl-C reaches this shell only,
# which passes it on: a shell that is told while it starts a program would wait for that program all the same.
run_apart() {
    local status
    set -m
    ( set +m -e; trap - INT; exec 9>&-; "$1" ) &
    GROUP=$!
    set +m
    [ -z "$INTERRUPTED" ] || end_group "$GROUP"    # it was pressed before the group was known
    wait "$GROUP"
    status=$?
    GROUP=''
    [ -z "$INTERRUPTED" ] || status=130
    return "$status"
}

# Processes that do not end at an interrupt (apt finishes what it unpacks) get a while before they are terminated.
end_group() {
    local second
    [ -n "$1" ] || return 0
    kill -INT -- "-$1" 2>/dev/null
    for second in {1..100}; do
        kill -0 -- "-$1" 2>/dev/null || return 0
        [ "$second" != 60 ] || kill -TERM -- "-$1" 2>/dev/null
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null
}

# Show that a long step goes on: on a terminal its last line of output each second, elsewhere every 20 s on the standard error.
show_progress() {
    local name=$1 log=$2 seconds=0 last
    while sleep 1 >/dev/null 2>&1; do
        seconds=$((seconds + 1))
        [ -t 2 ] || [ $((seconds % 20)) = 0 ] || continue
        last=$(tail -n 1 "$log" 2>/dev/null | tr '\r' '\n' | tail -n 1)
        last=${last//[^[:print:]]/}
        last=${last:0:90}
        if [ -t 2 ]; then
            printf '\r\033[K  %-14s %6s s  %s' "$name" "$seconds" "$last" >&2
        else
            printf '\n  ... %s s  %s' "$seconds" "$last" >&2
        fi
    done
}

# fitting_remedy LOG REMEDY: what mends the fault that the log shows; REMEDY where it shows none that is known.
fitting_remedy() {
    local log=$1
    if grep -qiE 'no space left on device|disk quota exceeded' "$log"; then
        echo "free some room: $(df -Ph "$(nearest_folder "$STACK_DIR")" /tmp /var | awk 'NR > 1 { print $6 " has " $4 }' |
            sort -u | paste -sd ,)"
    elif grep -qE 'Address already in use|port [0-9]+ is taken' "$log"; then
        echo 'stop the program that has the port, or use other ports (--port-base N)'
    elif grep -qE 'error: command .* failed|Failed building wheel|Failed to build' "$log"; then
        echo 'a Python package could not be compiled: see the log for the header or library that it misses'
    else
        echo "$2"
    fi
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
