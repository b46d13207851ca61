# A cluster on a machine that systemd runs: its daemons are units, with users and files as an operator has them, and broker
# and database of the stack are in a unit of their own. All of it comes back when the machine is started again.

UNIT_FILES=/etc/systemd/system
SERVICES_UNIT=stack-services.service
MARK=/etc/compute/made-by-stack
UNIT_DAEMONS=(identity image network conductor scheduler api metadata network-agent worker)

# There is one set of units on a machine: that of the stack that came first, or of an operator who installed them without one.
uses_units() {
    [ "$MODE" = cluster ] && [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] || return 1
    if [ -d /etc/compute ]; then
        [ "$(cat $MARK 2>/dev/null)" = "$STACK_DIR" ]
    fi
}

install_units() {
    local name environment=()
    for name in COMPUTE_CONCURRENCY PYTHONPATH; do
        [ -z "${!name:-}" ] || environment+=(--environment "$name=${!name}")
    done
    mkdir -p /etc/compute
    echo "$STACK_DIR" >$MARK
    "$(venv)/bin/python" "$ROOT/tools/install_units" all --programs "$(venv)/bin" "${environment[@]}"
    for name in "${UNIT_DAEMONS[@]}"; do
        cmp -s "$STACK_DIR/etc/$name.conf" "/etc/compute/compute-$name.conf" ||
            install -m 0640 -g "compute-$name" "$STACK_DIR/etc/$name.conf" "/etc/compute/compute-$name.conf"
    done
    services_unit >"$UNIT_FILES/$SERVICES_UNIT"
    systemctl daemon-reload
    done_with "$(wc -w <<<"${UNIT_DAEMONS[*]}") daemons, each with its user"
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
ExecStartPre=/bin/sh -c 'rm -f "$STACK_DIR"/run/*.pid "$STACK_DIR"/run/control'
ExecStart=$(venv)/bin/python $ROOT/tools/supervise --dir $STACK_DIR/run --logs $LOGS run $STACK_DIR/run/programs
KillMode=mixed
TimeoutStopSec=60
Restart=on-failure

[Install]
WantedBy=multi-user.target
END
}

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
    rm -f "$UNIT_FILES/$SERVICES_UNIT"
    "$(any_python)" "$ROOT/tools/install_units" all --programs "$(venv)/bin" --purge >/dev/null
    echo removed
}
