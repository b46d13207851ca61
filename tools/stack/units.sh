# A cluster on a machine that systemd runs: its daemons are units, with users and files as an operator has them, and broker
# and database of the stack are in a unit of their own. All of it comes back when the machine is started again.

UNIT_FILES=/etc/systemd/system
SERVICES_UNIT=stack-services.service
MARK=/etc/compute/made-by-stack
UNITS_TOOLS=/usr/local/lib/compute-stack
UNITS_VENV=/opt/compute-stack    # their programs; nothing of the checkout, which their users may not be able to read
UNIT_DAEMONS=(identity image network conductor scheduler api metadata network-agent worker)

# There is one set of units on a machine: that of the stack that came first, or of an operator who installed them without one.
uses_units() {
    [ "${STACK_UNITS:-}" != no ] && [ "$MODE" = cluster ] && [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] || return 1
    if [ -d /etc/compute ]; then
        [ "$(cat $MARK 2>/dev/null)" = "$STACK_DIR" ]
    fi
}

install_units() {
    local name environment=()
    for name in COMPUTE_CONCURRENCY PYTHONPATH; do
        [ -z "${!name:-}" ] || environment+=(--environment "$name=${!name}")
    done
    units_can_run || return 1
    mkdir -p /etc/compute
    echo "$STACK_DIR" >$MARK
    "$(venv)/bin/python" "$ROOT/tools/install_units" all --programs "$(venv)/bin" "${environment[@]}"
    for name in "${UNIT_DAEMONS[@]}"; do
        cmp -s "$STACK_DIR/etc/$name.conf" "/etc/compute/compute-$name.conf" ||
            install -m 0640 -g "compute-$name" "$STACK_DIR/etc/$name.conf" "/etc/compute/compute-$name.conf"
    done
    install -D -m 0755 "$ROOT/tools/supervise" "$UNITS_TOOLS/supervise"
    services_unit >"$UNIT_FILES/$SERVICES_UNIT"
    systemctl daemon-reload
    done_with "$(wc -w <<<"${UNIT_DAEMONS[*]}") daemons, each with its user"
}

# The users of the daemons must be able to run the programs, and each has a /tmp of its own.
units_can_run() {
    local venv
    venv=$(realpath "$(venv)")
    case $venv/ in
        /tmp/* | /var/tmp/*) note "units see no $venv: each has a /tmp of its own; leave STACK_VENV out"; return 1 ;;
    esac
    (cd / && setpriv --reuid=65534 --regid=65534 --clear-groups "$venv/bin/python" -c 'import compute.service') ||
        { note "the users of the units cannot run the programs in $venv: leave STACK_VENV out"; return 1; }
}

# Not "compute-...": what compute-.service.d says is not for a broker.
services_unit() {
    cat <<END
[Unit]
Description=Broker and database of the stack in $STACK_DIR
After=network.target
# The daemons stop first, so that they can say what they hand back.
Before=$(unit_names | xargs)

[Service]
# Numbers of processes from before a reboot say nothing any more.
ExecStartPre=/bin/sh -c 'rm -f -- "\$\$0"/*.pid "\$\$0"/control' "$(unit_text "$STACK_DIR/run")"
ExecStart="$(unit_text "$(venv)/bin/python")" "$UNITS_TOOLS/supervise" --dir "$(unit_text "$STACK_DIR/run")" \
    --logs "$(unit_text "$LOGS")" run "$(unit_text "$STACK_DIR/run/programs")"
KillMode=mixed
TimeoutStopSec=60
Restart=on-failure

[Install]
WantedBy=multi-user.target
END
}

# unit_text TEXT: as it is written between quotes in a unit's file.
unit_text() { sed 's/[\\"]/\\&/g; s/%/%%/g; s/\$/$$/g' <<<"$1"; }

unit_names() { printf 'compute-%s.service\n' "${UNIT_DAEMONS[@]}"; }

# Have broker and database run as run/programs says.
run_services_unit() {
    if [ "$(systemctl is-active $SERVICES_UNIT)" = active ]; then
        supervise up "$STACK_DIR/run/programs"
    else
        systemctl enable --quiet --now $SERVICES_UNIT
        wait_for 10 test -S "$STACK_DIR/run/control"
    fi
}

start_units() {
    local name
    for name in $(changed_daemons); do
        [[ " ${UNIT_DAEMONS[*]} " != *" $name "* ]] || systemctl try-restart "compute-$name.service"
    done
    # shellcheck disable=SC2046
    systemctl enable --quiet compute.target $(unit_names)
    # shellcheck disable=SC2046
    systemctl start compute.target $(unit_names) || note 'not all started at once; systemd tries again'
}

units_active() { unit_names | xargs systemctl is-active | grep -c '^active$' || true; }

show_units() { unit_names | xargs systemctl list-units --no-pager --all --plain --legend=false; }

stop_units() {
    local count
    count=$(units_active)
    # shellcheck disable=SC2046
    systemctl stop compute.target $(unit_names)
    echo "$count stopped"
}

remove_units() {
    local name
    if [ "$(cat $MARK 2>/dev/null)" != "$STACK_DIR" ]; then
        echo 'none were made'
        return
    fi
    systemctl disable --quiet --now $SERVICES_UNIT
    rm -rf "$UNIT_FILES/$SERVICES_UNIT" "$UNITS_TOOLS"
    "$(any_python)" "$ROOT/tools/install_units" all --programs "$(venv)/bin" --purge >/dev/null || return 1
    echo removed
}
