#!/bin/bash
# A whole cloud on this machine: installs what is missing, starts the daemons, boots a first server and logs in to it.
# What each step does is in tools/stack/*.sh; everything that is made lives in one folder, .stack/ (STACK_DIR overrides).
set -euo pipefail
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

ROOT=$(dirname "$(dirname "$(readlink -f "$0")")")
PARTS=$ROOT/tools/stack
STACK_DIR=$(realpath -m "${STACK_DIR:-$ROOT/.stack}")
export STACK_DIR

for part in steps settings packages services units cloud down; do
    # shellcheck source=/dev/null
    . "$PARTS/$part.sh"
done

usage() {
    cat <<END
Usage: tools/stack.sh [--cluster] [--fake [--hosts N]] [--port-base N] [--listen ADDRESS]
       tools/stack.sh status | logs [NAME] | down [--keep-downloads] | --help

Without a command: bring a cloud up, or continue where an earlier run stopped.

  --cluster        RabbitMQ, MariaDB and a process for each daemon (default: one
                   process, messages in memory, SQLite); on a machine with
                   systemd each daemon is a unit with a user of its own
  --fake           no hypervisor: servers are entries in a list (default: real
                   guests under libvirt, with KVM or without). Needs no root if
                   all packages are there
  --hosts N        act as N hypervisor hosts (with --fake; default 1)
  --port-base N    listen on N, N+1 ... instead of 5000, 8774, 9292, 9696, 8775:
                   for a second stack on this machine (the second one --fake)
  --listen ADDRESS where the APIs listen (default 127.0.0.1)

  status           which daemons run and what they say of themselves
  logs [NAME]      follow the log of a daemon, or list the logs
  down             remove every trace: guests, interfaces, namespaces, packet
                   filters, processes, files. --keep-downloads keeps the Python
                   environment and the image for the next time

Environment:
  STACK_DIR        the folder of this stack (now $STACK_DIR)
  STACK_VENV       use this Python environment instead of making one
  STACK_PYTHON     Python to make it with (default: /usr/bin/python3 or python3,
                   the first that is at least 3.11)
END
}

bring_up() {
    begin_run
    step packages      install_packages    "run as root, or install the packages named above yourself; see the network and apt's sources"
    step environment   make_environment    "see whether pip reaches its index (PIP_INDEX_URL, proxies, certificates)"
    step configuration write_configuration "run 'tools/stack.sh down' to start from nothing"
    if uses_units; then
        step units         install_units       "see 'systemctl status' and 'journalctl -b'"
    fi
    if [ "$MODE" = cluster ]; then
        step broker    start_broker        "see the log of rabbitmq; is port $(setting broker_port) free?"
        step database  start_database      "see the log of mariadb; is port $(setting database_port) free?"
    fi
    if [ "$DRIVER" = libvirt ]; then
        step hypervisor start_hypervisor   "see the logs of libvirtd and virtlogd; 'virsh -c qemu:///system version' must work"
    fi
    step schemas       sync_schemas        "run 'tools/stack.sh down' to start with empty stores"
    step identity      bootstrap_identity  "run 'tools/stack.sh down' to start with empty stores"
    step daemons       start_daemons       "see 'tools/stack.sh logs'; is a port taken by another program?"
    step image         build_image         "see whether apt can download packages; tools/build_guest_image --help"
    fill_cloud
    end_run
}

main() {
    case ${1:-} in
        status) shift; load_settings; show_status "$@" ;;
        logs)   shift; load_settings; show_logs "$@" ;;
        down)   shift; take_down "$@" ;;
        -h | --help | help) usage ;;
        '' | -*) parse_options "$@"; bring_up ;;
        *) usage >&2; echo "stack.sh: there is no command $1" >&2; exit 2 ;;
    esac
}

main "$@"
