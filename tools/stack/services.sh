# What the daemons need beside themselves: a broker, a database, a hypervisor. Each is supervised like the daemons are, with
# its data below the stack's folder, and only where the machine does not have one that may be used.

supervise() { "$(venv)/bin/python" "$ROOT/tools/supervise" --dir "$STACK_DIR/run" "$@"; }

# The supervisor's file is put together of what each step adds: services first, then the daemons.
run_programs() {
    local part
    for part in broker database hypervisor daemons; do
        [ ! -f "$STACK_DIR/run/programs.$part" ] || cat "$STACK_DIR/run/programs.$part"
    done >"$STACK_DIR/run/programs"
    supervise up "$STACK_DIR/run/programs"
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

runs() { supervise status 2>/dev/null | grep -q "^$1 *running"; }

start_broker() {
    local data=$STACK_DIR/data/rabbitmq port
    port=$(setting broker_port)
    if runs rabbitmq && port_open "$port"; then
        already "RabbitMQ listens on port $port"
        return
    fi
    mkdir -p "$data"
    broker_configuration "$port" >"$data/rabbitmq.conf.new"
    chmod 600 "$data/rabbitmq.conf.new"
    mv "$data/rabbitmq.conf.new" "$data/rabbitmq.conf"
    echo '[].' >"$data/enabled_plugins"
    broker_programs "$data" >"$STACK_DIR/run/programs.broker"
    run_programs
    wait_for 60 port_open "$port"
    done_with "RabbitMQ listens on port $port"
}

broker_configuration() {
    cat <<END
listeners.tcp.local = 127.0.0.1:$1
default_user = compute
default_pass = $(setting broker_password)
default_vhost = compute
default_permissions.configure = .*
default_permissions.read = .*
default_permissions.write = .*
log.console = true
log.console.level = warning
log.file = false
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
END
}

broker_programs() {
    local data=$1 epmd
    epmd=$(command -v epmd)
    cat <<END
epmd = $epmd -address 127.0.0.1 -port $(setting epmd_port)
rabbitmq = /usr/lib/rabbitmq/bin/rabbitmq-server -noinput
rabbitmq.grace = 30
rabbitmq.environment = HOME=$data RABBITMQ_ALLOW_INPUT=1 RABBITMQ_NODENAME=$(broker_node)
END
    # One line each: the supervisor joins nothing.
    sed -i "/^rabbitmq.environment/d" /dev/null
}

broker_node() { echo "stack$(setting broker_port)@localhost"; }
