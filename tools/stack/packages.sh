# Debian packages and the Python environment.

. "$PARTS/package_names.sh"

BASE_PACKAGES=(python3-venv python3-dev gcc pkg-config iproute2 openssh-client ca-certificates)
REAL_PACKAGES=(libvirt-daemon-system libvirt-clients libvirt-dev qemu-system-x86 qemu-utils dnsmasq-base nftables
    busybox-static dropbear-bin mtools dosfstools e2fsprogs fdisk lz4 cpio xz-utils zstd binutils kmod syslinux syslinux-common iputils-ping)
CLUSTER_PACKAGES=(rabbitmq-server mariadb-server)
MADE_PACKAGES=/var/lib/compute-stack/packages
MADE_USERS=/var/lib/compute-stack/users
POLICY=/usr/sbin/policy-rc.d

wanted_packages() {
    [ -n "${STACK_VENV:-}" ] || printf '%s\n' "${BASE_PACKAGES[@]}"
    [ -n "${STACK_VENV:-}" ] || [ ! -d /run/systemd/system ] || echo libsystemd-dev    # for the extra "journal"
    [ "$DRIVER" = fake ] || printf '%s\n' "${REAL_PACKAGES[@]}"
    [ "$MODE" = standalone ] || printf '%s\n' "${CLUSTER_PACKAGES[@]}"
}

missing_packages() {
    local package installed
    installed=$(installed_names)
    for package in $(wanted_packages); do
        grep -xE "${package//+/\\+}" <<<"$installed" >/dev/null || echo "$package"
    done
}

install_packages() {
    command -v dpkg-query >/dev/null || { note 'this is not Debian; install the equivalents of:'; wanted_packages; return 1; }
    local missing epmd before users resolved=() package
    missing=$(missing_packages)
    epmd=$(command -v epmd || true)
    if [ -z "$missing" ]; then
        already 'all are installed'
        return
    fi
    note "missing:" $missing
    [ "$(id -u)" = 0 ] || { note 'only root can install packages'; return 1; }
    dpkg --configure -a    # what an earlier run that was interrupted has left
    apt-get update -q
    for package in $missing; do
        resolved+=("$(resolve_package "$package")") || { note "apt knows no package $package"; return 1; }
    done
    before=$(installed_packages)
    users=$(user_names)
    no_services_of_packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${resolved[@]}"
    remember_packages "$before" "$users"
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

# Every package that this machine has now, one on a line.
installed_packages() {
    dpkg-query -W -f '${db:Status-Status}\t${Package}\n' | sed -n 's/^installed\t//p' | sort
}

user_names() { cut -d : -f 1 /etc/passwd | sort; }

# remember_packages PACKAGES USERS: note which packages and users came with a stack; the arguments are those before it.
remember_packages() {
    mkdir -p "$(dirname "$MADE_PACKAGES")"
    { cat "$MADE_PACKAGES" 2>/dev/null || true; comm -13 <(echo "$1") <(installed_packages); } | sort -u >"$MADE_PACKAGES.new"
    mv "$MADE_PACKAGES.new" "$MADE_PACKAGES"
    comm -13 <(echo "$2") <(user_names) >>"$MADE_USERS"
}

# Those that came with a stack and are still there.
made_packages() { comm -12 <(sort "$MADE_PACKAGES" 2>/dev/null) <(installed_packages); }

made_users() { comm -12 <(sort -u "$MADE_USERS" 2>/dev/null) <(user_names); }

# Remove the packages that came with a stack, unless others have come to need them.
remove_packages() {
    local made others
    made=$(made_packages)
    if [ -n "$made" ]; then
        [ "$(id -u)" = 0 ] || { echo 'only root can remove packages'; return 1; }
        others=$(apt-get -s purge $made | awk '/^(Remv|Purg) / { print $2 }' | sort -u | comm -23 - <(echo "$made"))
        [ -z "$others" ] || { echo "not removed: these need them:" $others; return 1; }
        # What counts as essential was not on this machine before (e2fsprogs in a container).
        DEBIAN_FRONTEND=noninteractive apt-get purge -y -q --allow-remove-essential $made || return 1
    fi
    rm -rf "$(dirname "$MADE_PACKAGES")"
    echo "$(wc -w <<<"$made") removed"
}

environment_stamp() {
    { cat "$ROOT"/{requirements.txt,constraints.txt,setup.cfg,pyproject.toml}; echo "$ROOT"; libvirt_requirement; own_code; } | sha256sum
}

# An environment of units has a copy of the code, which is made anew when the code has changed.
own_code() {
    ! uses_units || (cd "$ROOT" && find compute etc -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum)
}

# code_to_install: what pip is to install; a copy is built elsewhere, so that nothing is written to the checkout.
code_to_install() {
    local copy=$STACK_DIR/cache/source
    if ! uses_units; then
        printf '%s\n' -e "$ROOT"
        return
    fi
    rm -rf "$copy"
    mkdir -p "$copy"
    cp -r "$ROOT"/{compute,etc,setup.py,setup.cfg,pyproject.toml,requirements.txt,test-requirements.txt,README.md,LICENSE} "$copy/"
    echo "$copy"
}

environment_remedy() {
    if [ -n "${STACK_VENV:-}" ]; then
        echo "install this project there ($STACK_VENV/bin/pip install $ROOT), or leave STACK_VENV out and one is made"
    else
        echo "see whether pip reaches its index (PIP_INDEX_URL, proxies, certificates)"
    fi
}

make_environment() {
    local venv stamp code
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
    mapfile -t code < <(code_to_install)
    code[-1]="${code[-1]}[client$([ ! -d /run/systemd/system ] || echo ,journal)]"
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --prefer-binary -c "$ROOT/constraints.txt" \
        "${code[@]}" $(libvirt_requirement)
    if uses_units; then
        rm -rf "${code[-1]%[*}"
        chmod -R go+rX "$venv"
        echo "$STACK_DIR" >"$venv/$FOLDER_MARK"
        printf 'etc/%s.conf\n' "${UNIT_DAEMONS[@]}" >>"$STACK_DIR/run/changed"    # they take new code when they start anew
    fi
    echo "$stamp" >"$venv/stamp"
    done_with "$("$venv/bin/python" -V) with $("$venv/bin/pip" list --format freeze 2>/dev/null | wc -l) packages"
}
