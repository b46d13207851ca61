# The checks before any change: user, folder, free disk space and ports. All problems are printed at once, each with a
# remedy.

PROBLEMS=0
FOLDER_MARK=made-by-stack    # in the stack's folder: it may be filled, and removed
KNOWN_NAMES='venv cache images run logs etc data clouds.yaml openrc admin-openrc demo_key demo_key.pub'
# What is needed, in MB, measured on Debian 12 and 13 and rounded up.
ROOM_BASE=250 ROOM_REAL=500 ROOM_CLUSTER=450 ROOM_ENVIRONMENT=300 ROOM_IMAGE=250 ROOM_DATA=200

check_machine() {
    check_user
    check_room
    check_ports
    [ "$PROBLEMS" = 0 ] || return 1
    done_with 'user, folder, room on disk, ports'
}

problem() {
    echo "$*"
    PROBLEMS=$((PROBLEMS + 1))
}

check_user() {
    [ "$(id -u)" != 0 ] || return 0
    if [ "$DRIVER" = libvirt ]; then
        problem 'Only root can wire real guests: run it as root (sudo), or use --fake, which needs no root.'
    elif [ -n "$(missing_packages)" ]; then
        problem "Only root can install the packages that are missing: $(missing_packages | xargs)." \
            'Run it as root once, or install them.'
    fi
}

# A folder of another user is neither used nor removed.
check_folder() {
    if [ -e "$STACK_DIR" ] && [ ! -d "$STACK_DIR" ]; then
        refuse "$STACK_DIR is not a folder; set STACK_DIR to another path"
    elif [ -d "$STACK_DIR" ] && { [ ! -w "$STACK_DIR" ] || [ ! -O "$STACK_DIR" ] && [ "$(id -u)" != 0 ]; }; then
        refuse "the folder $STACK_DIR belongs to $(stat -c %U "$STACK_DIR"), and you are $(id -un);" \
            "run it as that user, or set STACK_DIR to a folder of yours"
    elif ! is_stack_folder; then
        refuse "the folder $STACK_DIR has files that do not belong to a stack ($(strange_names | head -n 3 | xargs));" \
            "set STACK_DIR to a folder that is new or empty"
    elif [ ! -e "$STACK_DIR" ] && [ ! -w "$(nearest_folder "$STACK_DIR")" ]; then
        refuse "$(id -un) may not create $STACK_DIR; set STACK_DIR to another path, or run it as" \
            "$(stat -c %U "$(nearest_folder "$STACK_DIR")")"
    fi
}

is_stack_folder() { [ -f "$STACK_DIR/$FOLDER_MARK" ] || [ -f "$STACK_DIR/run/options" ] || [ -z "$(strange_names)" ]; }

# Names in the folder that no stack creates.
strange_names() {
    local path
    for path in "$STACK_DIR"/* "$STACK_DIR"/.[!.]*; do
        [ ! -e "$path" ] || [[ " $KNOWN_NAMES " == *" $(basename "$path") "* ]] || basename "$path"
    done
}

nearest_folder() {
    local path=$1
    while [ ! -d "$path" ]; do path=$(dirname "$path"); done
    echo "$path"
}

# wanted_room: path, MB and purpose of everything still to be created, separated by tabs.
wanted_room() {
    local packages=0
    [ -n "${STACK_VENV:-}" ] || [ -f "$(venv)/stamp" ] || printf '%s\t%s\tPython environment\n' "$(venv)" $ROOM_ENVIRONMENT
    if [ -n "$(missing_packages)" ]; then
        packages=$ROOM_BASE
        [ "$DRIVER" = fake ] || packages=$((packages + ROOM_REAL))
        [ "$MODE" = standalone ] || packages=$((packages + ROOM_CLUSTER))
        printf '/usr\t%s\tpackages\n' "$packages"
        printf '/var/cache/apt\t%s\tdownloads of packages\n' $((packages / 2))
    fi
    [ "$DRIVER" = fake ] || [ -n "${STACK_IMAGE:-}" ] || [ -s "$(guest_image)" ] ||
        printf '%s\t%s\tguest image\n' "$STACK_DIR" $ROOM_IMAGE
    printf '%s\t%s\tdatabases, logs and guests\n' "$STACK_DIR" $ROOM_DATA
}

check_room() {
    local need device free mount text found
    found=$(room_by_disk)
    while IFS=$'\t' read -r device need free mount text; do
        [ "${free:-0}" -ge "${need:-0}" ] || problem "$mount has $free MB free and needs $need MB (${text%, })." \
            'Free some, or set STACK_DIR to a folder on another disk.'
    done <<<"$found"
}

# room_by_disk: device, MB needed, MB free, where it is mounted, and what for, separated by tabs.
room_by_disk() {
    local path need purpose
    wanted_room | while IFS=$'\t' read -r path need purpose; do
        df -Pm "$(nearest_folder "$path")" | awk -v need="$need" -v purpose="$purpose" \
            'NR == 2 { print $1 "\t" need "\t" $4 "\t" $6 "\t" purpose }'
    done | awk -F '\t' '
        { key = $1 "\t" $4; need[key] += $2; free[key] = $3; text[key] = text[key] $5 " " $2 ", "; device[key] = $1; on[key] = $4 }
        END { for (key in need) print device[key] "\t" need[key] "\t" free[key] "\t" on[key] "\t" text[key] }'
}

# wanted_ports: name and number of each port that the stack will listen on. The table is configuration.py's.
wanted_ports() {
    local name default kept number=0
    sed -n '/^STANDARD_PORTS/,/}/p' "$PARTS/configuration.py" | grep -o "'[a-z_-]*': [0-9]*" | tr -d "':" |
        while read -r name default; do
            kept=$(setting "${name}_port")
            [ "$PORT_BASE" = 0 ] || default=$((PORT_BASE + number))
            number=$((number + 1))
            case "$MODE $name" in
                'standalone broker' | 'standalone database' | 'standalone epmd' | 'standalone distribution' | \
                    'standalone conductor_health' | 'standalone scheduler_health' | 'standalone worker_health' | \
                    'standalone network-agent_health' | 'cluster standalone_health') continue ;;
            esac
            echo "$name ${kept:-$default}"
        done
}

check_ports() {
    local name port inode pid ports
    ports=$(wanted_ports)
    while read -r name port; do
        inode=$(listening_inode "$port")
        [ -n "$inode" ] || continue
        pid=$(socket_owner "$inode")
        [ -z "$pid" ] || ! is_ours "$pid" || continue
        problem "Port $port ($name) is taken by $(program_words "$pid")." \
            "Stop it, or use other ports: --port-base N (takes N, N+1 ...)."
    done <<<"$ports"
}

# listening_inode PORT: the socket that listens there, on an address that the stack would use.
listening_inode() {
    local addresses='^(0100007F|00000000|0{32}|0{24}0100007F|0{16}FFFF00000100007F|0{24}01000000):'
    [ "$LISTEN" = 127.0.0.1 ] || addresses='.'
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf '%04X' "$1")" -v addresses="$addresses" '
        $4 == "0A" && $2 ~ (":" port "$") && $2 ~ addresses && !found++ { print $10 }'
}

socket_owner() {
    { find /proc/[0-9]*/fd -lname "socket:\[$1\]" 2>/dev/null || true; } | awk -F / '!found++ { print $3 }'
}

program_words() {
    if [ -z "$1" ]; then
        echo 'a program of another user'
    else
        echo "$(tr -d '\0' <"/proc/$1/comm") (process $1 of $(stat -c %U "/proc/$1"))"
    fi
}

# is_ours PID: the process, or one that it descends from, is of this stack.
is_ours() {
    local pid=$1
    ! uses_units || ! grep -Eq '/(compute-[a-z-]+|stack-services)\.service' "/proc/$pid/cgroup" 2>/dev/null || return 0
    while [ "${pid:-0}" -gt 1 ]; do
        ! tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -F -e "$STACK_DIR/" >/dev/null || return 0
        pid=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
    done
    return 1
}
