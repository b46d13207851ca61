#!/bin/bash
# A whole cloud on this machine: installs what is missing, starts the daemons, boots a first server and logs in to it.
# What each step does is in tools/stack/*.sh; everything that is made lives in one folder, .stack/ (STACK_DIR overrides).
set -euo pipefail
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

ROOT=$(dirname "$(dirname "$(readlink -f "$0")")")
PARTS=$ROOT/tools/stack
# How this is called: for what is said to be typed next.
COMMAND=$(printf %q "$0")
[ -z "${STACK_DIR:-}" ] || COMMAND="STACK_DIR=$(printf %q "$(realpath -m "$STACK_DIR")") $COMMAND"
STACK_DIR=$(realpath -m "${STACK_DIR:-$ROOT/.stack}")
export STACK_DIR

for part in steps settings checks packages services units cloud down; do
    # shellcheck source=/dev/null
    . "$PARTS/$part.sh"
done

usage() {
    cat <<END
Usage: tools/stack.sh [--cluster] [--fake [--hosts N]] [--port-base N] [--listen ADDRESS]
       tools/stack.sh status | logs [NAME] | manage WORDS... | down [--keep-downloads] [--packages] | --help

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
  manage WORDS...  compute-manage with the configuration of this stack, for
                   example: manage operations
  down             remove guests, interfaces, namespaces, packet filters, units,
                   processes and files of the stack, and say what stays.
                   --keep-downloads keeps the Python environment and the image
                   for the next time; --packages removes the packages that came
                   with a stack, unless others need them

Environment:
  STACK_DIR        the folder of this stack (now $STACK_DIR)
  STACK_VENV       use this Python environment instead of making one; later
                   commands of the same stack remember it
  STACK_IMAGE      a guest image to use instead of building one; the same
  STACK_UNITS      no: the daemons of a cluster are processes also where systemd
                   runs the machine; the same
  STACK_PYTHON     Python to make it with (default: /usr/bin/python3 or python3,
                   the first that is at least 3.11)
END
}

bring_up() {
    begin_run
    step checks        check_machine       'as said above'
    step packages      install_packages    "see the network and apt's sources (/etc/apt), or install the packages named above yourself"
    step environment   make_environment    "$(environment_remedy)"
    step configuration write_configuration "run '$COMMAND down' to start from nothing"
    if uses_units; then
        step units         install_units       "see the log, 'systemctl status' and 'journalctl -b'"
    fi
    if [ "$MODE" = cluster ]; then
        step broker    start_broker        "see the log of rabbitmq; is port $(setting broker_port) free?"
        step database  start_database      "see the log of mariadb; is port $(setting database_port) free?"
    fi
    if [ "$DRIVER" = libvirt ]; then
        step hypervisor start_hypervisor   "see the logs of libvirtd and virtlogd; 'virsh -c qemu:///system version' must work"
    fi
    step schemas       sync_schemas        "run '$COMMAND down' to start with empty stores"
    step identity      bootstrap_identity  "run '$COMMAND down' to start with empty stores"
    step daemons       start_daemons       "see '$COMMAND logs'"
    step image         build_image         "see whether apt can download packages; tools/build_guest_image --help"
    fill_cloud
    end_run
}

main() {
    case ${1:-} in
        status) shift; load_settings; show_status "$@" ;;
        logs)   shift; load_settings; show_logs "$@" ;;
        manage) shift; load_settings; manage "$@" ;;
        down)   shift; take_down "$@" ;;
        -h | --help | help) usage ;;
        '' | -*) parse_options "$@"; bring_up ;;
        *) usage >&2; echo "stack.sh: there is no command $1" >&2; exit 2 ;;
    esac
}

main "$@"
