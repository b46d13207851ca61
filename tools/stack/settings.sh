# Options of a stack, remembered in its folder so that later commands need none.

MODE=standalone DRIVER=libvirt HOSTS=1 PORT_BASE=0 LISTEN=127.0.0.1
# http_proxy is for downloads: calls to this machine never go through it.
no_proxy=${no_proxy:-${NO_PROXY:-}}
export no_proxy=${no_proxy:+$no_proxy,}localhost,127.0.0.1,127.0.0.0/8,::1
export NO_PROXY=$no_proxy

parse_options() {
    local asked=''
    check_folder
    [ ! -f "$STACK_DIR/run/options" ] || read_options
    local had="$MODE $DRIVER $HOSTS $PORT_BASE $LISTEN"
    [ $# = 0 ] || MODE=standalone DRIVER=libvirt HOSTS=1 PORT_BASE=0 LISTEN=127.0.0.1
    while [ $# -gt 0 ]; do
        asked=1
        case $1 in --hosts | --port-base | --listen) [ $# -ge 2 ] || refuse "$1 needs a value" ;; esac
        case $1 in
            --cluster) MODE=cluster ;;
            --fake) DRIVER=fake ;;
            --hosts) HOSTS=$2; shift ;;
            --port-base) PORT_BASE=$2; shift ;;
            --listen) LISTEN=$2; shift ;;
            -h | --help) usage; exit 0 ;;
            *) refuse "unknown option $1" ;;
        esac
        shift
    done
    check_options
    if [ -n "$asked" ] && [ -f "$STACK_DIR/run/options" ] && [ "$had" != "$MODE $DRIVER $HOSTS $PORT_BASE $LISTEN" ]; then
        refuse "the stack in $STACK_DIR was made with other options; take it down first, or set STACK_DIR for another one"
    fi
    save_options
}

check_options() {
    [[ $HOSTS =~ ^[1-9][0-9]*$ ]] || refuse "--hosts takes a number from 1: $HOSTS"
    [[ $PORT_BASE =~ ^[0-9]+$ ]] && [ "$PORT_BASE" -le 65000 ] || refuse "--port-base takes a number up to 65000: $PORT_BASE"
    [ "$HOSTS" = 1 ] || [ "$DRIVER" = fake ] || refuse "--hosts goes with --fake: this machine is one real host"
}

refuse() {
    echo "stack.sh: $*" >&2
    exit 2
}

save_options() {
    mkdir -p "$STACK_DIR/run"
    touch "$STACK_DIR/$FOLDER_MARK"
    printf 'MODE=%s DRIVER=%s HOSTS=%s PORT_BASE=%s LISTEN=%s\nGIVEN_VENV=%q GIVEN_IMAGE=%q GIVEN_UNITS=%q\n' "$MODE" "$DRIVER" "$HOSTS" \
        "$PORT_BASE" "$LISTEN" "${STACK_VENV:-}" "${STACK_IMAGE:-}" "${STACK_UNITS:-}" >"$STACK_DIR/run/options"
}

# What was given by the environment once is known to later commands; what is given now wins.
read_options() {
    local GIVEN_VENV='' GIVEN_IMAGE='' GIVEN_UNITS=''
    . "$STACK_DIR/run/options"
    STACK_VENV=${STACK_VENV:-$GIVEN_VENV} STACK_IMAGE=${STACK_IMAGE:-$GIVEN_IMAGE} STACK_UNITS=${STACK_UNITS:-$GIVEN_UNITS}
}

load_settings() {
    [ -f "$STACK_DIR/run/options" ] || refuse "there is no stack in $STACK_DIR"
    read_options
}

# setting NAME: a value that tools/stack/configuration.py chose (ports, passwords).
setting() {
    [ ! -f "$STACK_DIR/etc/settings" ] || sed -n "s/^$1 = //p" "$STACK_DIR/etc/settings"
}

# The daemons' users must reach the environment of units, wherever the stack's folder is.
venv() {
    if [ -n "${STACK_VENV:-}" ]; then
        echo "$STACK_VENV"
    elif uses_units; then
        echo "$UNITS_VENV"
    else
        echo "$STACK_DIR/venv"
    fi
}

manage_configuration() { echo "$STACK_DIR/etc/manage.conf"; }
