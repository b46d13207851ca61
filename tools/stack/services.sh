# What the daemons need beside themselves: a broker, a database, a hypervisor. Each is supervised as the daemons are, with its
# data below the stack's folder, and only where the machine does not have one that may be used.

KVM=/dev/kvm

supervise() { "$(venv)/bin/python" "$ROOT/tools/supervise" --dir "$STACK_DIR/run" --logs "$LOGS" "$@"; }

# The supervisor's file is put together of what the steps enable: services first, then the daemons.
run_programs() {
    local part
    for part in broker database hypervisor daemons; do
        [ "$part" != "$1" ] || : >"$STACK_DIR/run/enabled.$part"
        [ ! -f "$STACK_DIR/run/enabled.$part" ] || cat "$STACK_DIR/etc/programs.$part"
    done >"$STACK_DIR/run/programs"
    if uses_units; then
        run_services_unit
        return
    fi
    supervise up "$STACK_DIR/run/programs"
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

runs() { supervise status 2>/dev/null | grep -q "^$1 *running"; }

# start_private NAME PROGRAM PORT PART: run a service and wait for its port.
start_private() {
    local name=$1 program=$2 port=$3 part=$4
    if runs "$program" && port_open "$port"; then
        already "$name listens on port $port"
        return
    fi
    if port_open "$port"; then
        note "port $port is taken by another program"
        return 1
    fi
    run_programs "$part"
    wait_for 120 port_open "$port"
    done_with "$name listens on port $port"
}

start_broker() { start_private RabbitMQ rabbitmq "$(setting broker_port)" broker; }

start_database() {
    local data=$STACK_DIR/data/mariadb way
    if [ ! -d "$data/mysql" ]; then
        rm -rf "$data"
        mkdir -p "$data"
        way=$(mktemp -d)    # mariadb-install-db takes a path with a blank for several
        ln -s "$data" "$way/data"
        mariadb-install-db --no-defaults --datadir="$way/data" --user="$(id -un)" --skip-test-db \
            --auth-root-authentication-method=socket
        rm -r "$way"
    fi
    start_private MariaDB mariadb "$(setting database_port)" database
}

hypervisor_answers() { virsh -c qemu:///system version; }

# Containers of systemd-nspawn and the like have the kernel's settings read-only; networks of guests need a few of their own.
open_kernel_settings() {
    [ ! -w /proc/sys/net/ipv4/ip_forward ] || return 0
    note '/proc/sys is read-only here; it is made writable until the stack is taken down'
    mount -o remount,bind,rw /proc/sys && touch "$STACK_DIR/run/opened-proc-sys"
}

# What udev does on a machine that has it. Without that, libvirtd (root) finds that KVM can be used while QEMU's user cannot
# open the device; it then takes what it knows of QEMU for outdated at every call, and asks QEMU anew for seconds each.
open_kvm_device() {
    [ -c "$KVM" ] && [ "$(id -u)" = 0 ] && getent group kvm >/dev/null || return 0
    local is
    is=$(stat -c '%U:%G %a' "$KVM")
    [ "$is" != 'root:kvm 660' ] && [ "$((0$(stat -c %a "$KVM") & 06))" != 6 ] || return 0
    note "$KVM is $is; it gets the owner and mode that udev gives it until the stack is taken down"
    [ -e "$STACK_DIR/run/opened-kvm" ] || echo "$is" >"$STACK_DIR/run/opened-kvm"
    chown root:kvm "$KVM"
    chmod 0660 "$KVM"
}

close_kvm_device() {
    local owner mode
    [ -e "$STACK_DIR/run/opened-kvm" ] || return 0
    read -r owner mode <"$STACK_DIR/run/opened-kvm"
    chown "$owner" "$KVM"
    chmod "$mode" "$KVM"
}

start_hypervisor() {
    open_kernel_settings
    open_kvm_device
    if hypervisor_answers; then
        already "libvirt answers$(runs libvirtd || echo ', as it did before')"
        return
    fi
    if [ -d /run/systemd/system ]; then
        systemctl start libvirtd
    else
        hypervisor_programs >"$STACK_DIR/etc/programs.hypervisor"
        mkdir -p /run/libvirt /var/lib/libvirt/qemu
        run_programs hypervisor
    fi
    wait_for 120 hypervisor_answers
    done_with "$(virsh -c qemu:///system version | sed -n 's/^Running hypervisor: //p') under libvirt $(virsh -v)"
}

hypervisor_programs() {
    [ -n "$(pidof virtlogd)" ] || echo "virtlogd = $(command -v virtlogd)"
    echo "libvirtd = $(command -v libvirtd)"
}

# QEMU runs as a user of its own, who must reach the disks. Where the stack's folder is closed to others (below /root, say),
# the disks live beside libvirt's.
instances_folder() {
    local folder=$STACK_DIR/data/instances user
    [ "$DRIVER" = libvirt ] || return 0
    user=$(qemu_user)
    if uses_units; then
        echo /var/lib/compute/instances
    elif [ "$(id -u)" != 0 ] || [ -z "$user" ] || runuser -u "$user" -- test -x "$STACK_DIR"; then
        echo "$folder"
    else
        echo "/var/lib/libvirt/compute-stack-$(sha256sum <<<"$STACK_DIR" | cut -c1-8)"
    fi
}

qemu_user() {
    local user
    user=$(sed -n 's/^ *user *= *"+\{0,1\}\([^"]*\)".*/\1/p' /etc/libvirt/qemu.conf 2>/dev/null | tail -n 1)
    user=${user:-libvirt-qemu}
    [ "$user" = root ] || ! id "$user" >/dev/null 2>&1 || echo "$user"
}
