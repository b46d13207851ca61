# The cloud itself: configuration, stores, daemons, what is put into it, and how it is looked at.

write_configuration() {
    local result instances
    instances=$(instances_folder)
    result=$("$(venv)/bin/python" "$PARTS/configuration.py" "$STACK_DIR" --mode "$MODE" --driver "$DRIVER" \
        --hosts "$HOSTS" --port-base "$PORT_BASE" --listen "$LISTEN" --programs "$(venv)/bin" \
        ${instances:+--instances "$instances"} $(! uses_units || echo --units))
    note "$result"
    echo "${result#changed }" >>"$STACK_DIR/run/changed"
    if [ "$result" = same ]; then
        already "$STACK_DIR/etc"
    else
        done_with "$(wc -w <<<"${result#changed }") files in $STACK_DIR"
    fi
}

manage() { "$(venv)/bin/compute-manage" --config-file "$(manage_configuration)" "$@"; }

sync_schemas() {
    if manage db version; then
        already 'all stores are at the newest schema'
        return
    fi
    manage db sync
    done_with 'compute, identity, image, network'
}

bootstrap_identity() {
    local said
    said=$(OS_BOOTSTRAP_PASSWORD=$(setting admin_password) manage identity bootstrap --host "$(reach_host)")
    note "$said"
    case $said in
        *'nothing to change'*) already 'roles, users, catalog' ;;
        *) done_with 'roles, users admin and compute, catalog' ;;
    esac
}

reach_host() { case $LISTEN in 0.0.0.0 | ::) echo 127.0.0.1 ;; *) echo "$LISTEN" ;; esac; }

start_daemons() {
    local names before
    names=$(sed -n 's/^\([a-z-]*\) = .*/\1/p' "$STACK_DIR/etc/programs.daemons" | xargs)
    if uses_units; then
        before=$(units_active)
        start_units
    else
        restart_changed
        before=$(supervise status 2>/dev/null | grep -c '^compute-.* running' || true)
        run_programs daemons
    fi
    "$(venv)/bin/python" "$PARTS/ready.py" "$STACK_DIR" --hosts "$HOSTS"
    if [ "$before" = "$(wc -w <<<"$names")" ]; then
        already "$names"
    else
        done_with "$names"
    fi
}

# A daemon that runs takes a changed configuration when it starts anew.
restart_changed() {
    local name
    for name in $(changed_daemons); do
        ! runs "compute-$name" || supervise stop "compute-$name"
    done
}

# The daemons whose configuration has changed since the last time that this was asked.
changed_daemons() {
    grep -o 'etc/[a-z-]*\.conf' "$STACK_DIR/run/changed" | sed 's|etc/||; s|\.conf||' | sort -u
    rm -f "$STACK_DIR/run/changed"
}

build_image() {
    local said
    if [ "$DRIVER" = fake ]; then
        already 'none is needed: fake hosts run none'
        return
    elif [ -n "${STACK_IMAGE:-}" ]; then
        already "$STACK_IMAGE is given by STACK_IMAGE"
        return
    fi
    said=$("$ROOT/tools/build_guest_image" --output "$(guest_image)" --cache "$STACK_DIR/cache/debs")
    note "$said"
    case $said in
        *'up to date'*) already "$(guest_image)" ;;
        *) done_with "$(guest_image), $(stat -c %s "$(guest_image)" | numfmt --to=iec)" ;;
    esac
}

guest_image() { echo "${STACK_IMAGE:-$STACK_DIR/images/guest.qcow2}"; }

# Accounts, flavors, image, network, key pair, first server: one process, because each start of a client takes seconds.
fill_cloud() {
    local image=''
    [ "$DRIVER" = fake ] || image=$(guest_image)
    "$(venv)/bin/python" "$PARTS/bootstrap.py" "$STACK_DIR" --hosts "$HOSTS" --command "$COMMAND" \
        ${image:+--image "$image"} 9>&-
}

show_status() {
    local worst=0
    supervise status || worst=1
    ! uses_units || show_units || worst=1
    echo
    "$(venv)/bin/compute-status" --config-file "$(manage_configuration)" "$@" || worst=1
    return "$worst"
}

show_logs() {
    if [ -z "${1:-}" ]; then
        ls -l "$LOGS"
        echo "Follow one with: tools/stack.sh logs NAME"
        return
    fi
    local name
    if uses_units && systemctl cat "compute-${1#compute-}.service" >/dev/null 2>&1; then
        exec journalctl -u "compute-${1#compute-}.service" -n 100 -f
    fi
    for name in "$1" "compute-$1" "stack-$1"; do
        [ ! -f "$LOGS/$name.log" ] || exec tail -n 100 -F "$LOGS/$name.log"
    done
    refuse "there is no log of $1; see tools/stack.sh logs"
}
