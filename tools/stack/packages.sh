# Debian packages and the Python environment.

BASE_PACKAGES=(python3-venv python3-dev gcc pkg-config iproute2 openssh-client ca-certificates)
REAL_PACKAGES=(libvirt-daemon-system libvirt-clients libvirt-dev qemu-system-x86 qemu-utils dnsmasq-base nftables
    busybox-static dropbear-bin mtools dosfstools e2fsprogs fdisk lz4 cpio xz-utils zstd binutils kmod syslinux syslinux-common iputils-ping)
CLUSTER_PACKAGES=(rabbitmq-server mariadb-server)
POLICY=/usr/sbin/policy-rc.d

wanted_packages() {
    [ -n "${STACK_VENV:-}" ] || printf '%s\n' "${BASE_PACKAGES[@]}"
    [ -n "${STACK_VENV:-}" ] || [ ! -d /run/systemd/system ] || echo libsystemd-dev    # for the extra "journal"
    [ "$DRIVER" = fake ] || printf '%s\n' "${REAL_PACKAGES[@]}"
    [ "$MODE" = standalone ] || printf '%s\n' "${CLUSTER_PACKAGES[@]}"
}

missing_packages() {
    local package
    for package in $(wanted_packages); do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || echo "$package"
    done
}

install_packages() {
    command -v dpkg-query >/dev/null || { note 'this is not Debian; install the equivalents of:'; wanted_packages; return 1; }
    local missing epmd
    missing=$(missing_packages)
    epmd=$(command -v epmd || true)
    if [ -z "$missing" ]; then
        already 'all are installed'
        return
    fi
    note "missing:" $missing
    [ "$(id -u)" = 0 ] || { note 'only root can install packages'; return 1; }
    apt-get update -q
    no_services_of_packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
    stop_services_of_packages $missing
    # Erlang comes along with RabbitMQ, and its name server listens on every interface.
    [ ! -d /run/systemd/system ] || [ -n "$epmd" ] || ! command -v epmd >/dev/null ||
        systemctl disable --now epmd.socket epmd.service
    done_with "$(wc -w <<<"$missing") installed"
}

# The stack runs a broker and a database of its own, so that it changes nothing of what the machine has. Where there is no
# systemd, packages are kept from starting theirs; with systemd they are stopped again.
no_services_of_packages() {
    if [ ! -d /run/systemd/system ] && [ ! -e "$POLICY" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod 755 "$POLICY"
        trap 'rm -f "$POLICY"' EXIT    # of this step's shell
    fi
}

stop_services_of_packages() {
    [ -d /run/systemd/system ] || return 0
    local package unit
    for package in "$@"; do
        case $package in
            rabbitmq-server) unit=rabbitmq-server ;;
            mariadb-server) unit=mariadb ;;
            *) continue ;;
        esac
        systemctl disable --now "$unit"
    done
}

find_python() {
    local python
    for python in ${STACK_PYTHON:-} /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    note 'Python 3.11 or newer is needed'
    return 1
}

libvirt_requirement() {
    [ "$DRIVER" = fake ] || echo "libvirt-python==$(pkg-config --modversion libvirt)"
}

environment_stamp() {
    { cat "$ROOT"/{requirements.txt,constraints.txt,setup.cfg,pyproject.toml}; echo "$ROOT"; libvirt_requirement; } | sha256sum
}

make_environment() {
    local venv stamp
    venv=$(venv)
    if [ -n "${STACK_VENV:-}" ]; then
        "$venv/bin/python" -c 'import compute.service'
        already "$venv is given by STACK_VENV"
        return
    fi
    stamp=$(environment_stamp)
    if [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ]; then
        already "$venv"
        return
    fi
    [ -x "$venv/bin/pip" ] || "$(find_python)" -m venv "$venv"
    "$venv/bin/pip" install --disable-pip-version-check --no-input --prefer-binary -c "$ROOT/constraints.txt" \
        -e "$ROOT[client$([ ! -d /run/systemd/system ] || echo ,journal)]" $(libvirt_requirement)
    echo "$stamp" >"$venv/stamp"
    done_with "$("$venv/bin/python" -V) with $("$venv/bin/pip" list --format freeze 2>/dev/null | wc -l) packages"
}
