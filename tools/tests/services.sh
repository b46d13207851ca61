# What the tests need on the machine, on top of what a stack needs (tools/stack/*.sh).

TEST_PACKAGES=(postgresql tcpdump procps curl systemd-sysv systemd-container dbus)

install_test_packages() {
    BASE_PACKAGES+=(systemd libsystemd-dev)
    if needs_services; then
        BASE_PACKAGES+=("${TEST_PACKAGES[@]}")
    else
        MODE=standalone DRIVER=fake
        BASE_PACKAGES+=(libvirt-dev qemu-utils)
    fi
    install_packages
}

make_test_environment() {
    local stamp
    stamp=$({ environment_stamp; sha256sum <"$ROOT/test-requirements.txt"; } | sha256sum)
    if [ "$(cat "$VENV/stamp" 2>/dev/null)" = "$stamp" ]; then
        already "$VENV"
        return
    fi
    if [ -n "${TEST_VENV:-}" ] && [ -x "$VENV/bin/pytest" ]; then
        already "$VENV is given by TEST_VENV"
        return
    fi
    [ -x "$VENV/bin/pip" ] || "$(find_python)" -m venv "$VENV"
    "$VENV/bin/pip" install --disable-pip-version-check --no-input --prefer-binary -c "$ROOT/constraints.txt" \
        -e "$ROOT[client,test,journal]" "$(libvirt_requirement)"
    echo "$stamp" >"$VENV/stamp"
    done_with "$("$VENV/bin/python" -V) in $VENV"
}

postgresql_port() { echo $((PORT_BASE + 20)); }

start_postgresql() {
    local data=/var/tmp/compute-tests-postgresql-$$ programs
    programs=$(dirname "$(find /usr/lib/postgresql -name initdb | sort -V | tail -n 1)")
    if [ "$(id -u)" = 0 ]; then
        as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
    else
        as_postgres=()
    fi
    rm -rf "$data"
    (cd / && "${as_postgres[@]}" "$programs/initdb" -D "$data" -A trust -U compute -E UTF8 --no-sync)
    echo "postgresql = ${as_postgres[*]} $programs/postgres -D $data -k $data -p $(postgresql_port)" \
        "-c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200" >"$STACK_DIR/etc/programs.hypervisor"
    run_programs hypervisor
    wait_for 60 port_open "$(postgresql_port)"
    (cd / && "${as_postgres[@]}" "$programs/psql" -h "$data" -p "$(postgresql_port)" -U compute -d postgres \
        -c 'CREATE DATABASE compute')
    done_with "PostgreSQL listens on port $(postgresql_port)"
}

build_test_image() {
    if [ -n "${TEST_GUEST:-}" ]; then
        already "$TEST_GUEST"
        return
    fi
    "$ROOT/tools/build_guest_image" --output "$(test_image)" --cache "$ROOT/.stack-cache/debs"
    done_with "$(test_image)"
}

test_image() { echo "${TEST_GUEST:-$ROOT/.stack-cache/guest.qcow2}"; }

export_services() {
    local database broker
    database=$(setting database_password)
    broker=$(setting broker_password)
    export COMPUTE_TEST_MYSQL_URL="mysql+pymysql://compute:$database@127.0.0.1:$(setting database_port)/compute"
    export COMPUTE_TEST_PG_URL="postgresql+pg8000://compute@127.0.0.1:$(postgresql_port)/compute"
    export COMPUTE_TEST_RABBIT_URL="rabbit://compute:$broker@127.0.0.1:$(setting broker_port)/compute"
    COMPUTE_TEST_GUEST=$(test_image)
    export COMPUTE_TEST_GUEST COMPUTE_TEST_GUEST_IMAGE=$COMPUTE_TEST_GUEST TEST_PORT_BASE=$PORT_BASE
}

# Whatever the outcome: no process and no file is left, but for the reports when something failed.
finish() {
    local status=$?
    trap - EXIT
    if [ -f "$STACK_DIR/run/programs" ]; then
        STACK_VENV=$VENV
        stop_services >/dev/null 2>&1 || true
    fi
    rm -rf "/var/tmp/compute-tests-postgresql-$$"
    [ "$(cat "$PORT_HOLDER" 2>/dev/null || true)" != $$ ] || rm -f "$PORT_HOLDER"
    if [ "$status" = 0 ]; then
        rm -rf "$STACK_DIR"
    else
        echo "Logs and reports: $STACK_DIR" >&2
    fi
    exit "$status"
}
