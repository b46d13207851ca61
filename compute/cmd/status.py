"""compute-status: one look at a control plane: what is up, which hosts there are, which work hangs.

It asks the REST daemons for their health, and reads the rest from the store, so that it says something even when the
APIs are down. ``compute-status upgrade check`` says whether the code may be started on the stores as they are.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from compute import concurrency

concurrency.patch(concurrency.THREADING)

import requests

from compute import exception
from compute.cmd import configuration
from compute.cmd.doctor import CHECKS
from compute.cmd.programs import program
from compute.cmd.stores import ERRORS, STORES, Store, named, reason

REST = ('identity', 'image', 'network', 'api', 'metadata')
DAEMON_COLUMNS = ('daemon', 'address', 'state', 'problems')
SERVICE_COLUMNS = ('host', 'binary', 'zone', 'status', 'state', 'last_seen_at', 'problems')
HOST_COLUMNS = ('host', 'zone', 'type', 'servers', 'vcpus', 'memory_mb', 'disk_gb')
OPERATION_COLUMNS = ('id', 'kind', 'instance_uuid', 'state', 'stage', 'host', 'attempt', 'age', 'deadline_at')
_LIMIT = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Print the state; 0 when everything is up and nothing hangs, 1 when not, 2 without a configuration."""
    arguments = parser_of().parse_args(argv)
    conf = configuration.read(arguments.config_file)
    if arguments.command == 'check':
        from compute.cmd import check
        return check.run(conf, arguments.only, arguments.json)
    try:
        configuration.demand(conf, 'database', 'connection')
    except exception.Invalid as error:
        print(f'compute-status: {error.message}', file=sys.stderr)
        return 2
    if arguments.command == 'upgrade':
        return check_upgrade(conf, arguments.json)
    return show(conf, arguments.older, arguments.json)


def parser_of() -> argparse.ArgumentParser:
    about = program('compute-status')
    parser = argparse.ArgumentParser(prog=about.name, description=about.does, epilog=about.epilog)
    configuration.add_argument(parser)
    parser.add_argument('--json', action='store_true', help='print JSON')
    parser.add_argument('--older', type=int, default=60, metavar='SECONDS',
                        help='list open operations that are older than this (%(default)s)')
    commands = parser.add_subparsers(dest='command', metavar='COMMAND')
    _check(commands.add_parser('check', help='find misconfigurations of this machine', description=(
        'Look for misconfigurations that make this machine slow or break it: KVM, libvirt, AppArmor, folders, network, '
        'clock, names, broker, databases, certificates. Each finding names its remedy. Run it as root on each host. '
        'The exit status is 0 when all is well, 1 with a warning, 2 with a failure.')))
    upgrade = commands.add_parser('upgrade', help='see whether this version may be started')
    upgrade.add_subparsers(required=True, metavar='ACTION').add_parser(
        'check', help='0 when nothing is to be done, 1 when a schema is missing or data is still being changed, 2 when '
                      'a store does not answer')
    return parser


def _check(parser: argparse.ArgumentParser) -> None:
    names = tuple(each.name for each in CHECKS)
    parser.add_argument('--only', action='append', default=[], metavar='CHECK', choices=names,
                        help=f'make this check only; may be given several times ({", ".join(names)})')
    parser.add_argument('--json', action='store_true', help='print JSON')


def show(conf: Any, older: int, as_json: bool) -> int:
    """Print daemons, services, hosts and operations that hang; return 0 if all is well."""
    state = {'daemons': [daemon(conf, name) for name in REST], **stored(conf, older)}
    if as_json:
        print(json.dumps(state, indent=2, default=str))
    else:
        for title, columns in (('daemons', DAEMON_COLUMNS), ('services', SERVICE_COLUMNS), ('hosts', HOST_COLUMNS)):
            print(f'{title}\n{table(columns, state[title])}\n')
        print(f'operations open for more than {older} s\n{table(OPERATION_COLUMNS, state["operations"])}')
    up = all(row['state'] == 'up' for row in [*state['daemons'], *state['services']])
    return 0 if up and not state['operations'] and not state['problems'] else 1


def stored(conf: Any, older: int) -> dict[str, list[Any]]:
    """Return what the store knows; nothing, and a problem told on stderr, when it does not answer."""
    try:
        return {'services': services(conf), 'hosts': hosts(conf), 'operations': operations(conf, older), 'problems': []}
    except ERRORS as error:
        problem = f'the store does not answer: {reason(error)}'
        print(f'compute-status: {problem}', file=sys.stderr)
        return {'services': [], 'hosts': [], 'operations': [], 'problems': [problem]}


def daemon(conf: Any, name: str) -> dict[str, Any]:
    """Ask one REST daemon for its health."""
    options = conf[name]
    host = {'0.0.0.0': '127.0.0.1', '::': '[::1]'}.get(str(options.listen_host), str(options.listen_host))
    address = f'{host}:{options.listen_port}'
    try:
        answer = requests.get(f'http://{address}/healthcheck', headers={'Accept': 'application/json'}, timeout=5)
        reasons = answer.json()['reasons'] if answer.status_code == 503 else []
        known = answer.status_code in (200, 503)
    except (requests.RequestException, ValueError, KeyError) as error:
        return {'daemon': name, 'address': address, 'state': 'down', 'problems': [_short(error)]}
    state = 'sick' if reasons else 'up' if known else 'unknown'
    return {'daemon': name, 'address': address, 'state': state, 'problems': reasons}


def _short(error: Exception) -> str:
    if isinstance(error, requests.ConnectionError):
        return 'nobody answers'
    return type(error).__name__


def services(conf: Any) -> list[dict[str, Any]]:
    """Return the daemons that report themselves to the store: up, degraded or down, and why."""
    from compute.db import overview
    from compute.db.services import health_of
    from compute.objects.value import now
    oldest = now() - datetime.timedelta(seconds=conf.conductor.service_down_time)

    def state(row: Mapping[str, Any], health: Mapping[str, Any]) -> str:
        seen = row['last_seen_at']
        if seen is None or seen < oldest or row['forced_down']:
            return 'down'
        return str(health.get('state', 'up'))

    def shown(row: Mapping[str, Any]) -> dict[str, Any]:
        health = health_of(row['problems'])
        problems = [f'{reason["probe"]}: {reason["reason"]}' for reason in health.get('reasons', ())]
        return {**row, 'status': 'disabled' if row['disabled'] else 'enabled', 'state': state(row, health),
                'problems': problems}
    return [shown(row) for row in _read(conf, overview.daemons)]


def hosts(conf: Any) -> list[dict[str, Any]]:
    """Return the hypervisor hosts with their use."""
    from compute.db import overview
    return [{
        'host': row['host'], 'zone': row['availability_zone'], 'type': row['hypervisor_type'],
        'servers': row['running_vms'],
        **{name: f'{row[name + "_used"]}/{row[name + "_limit"]}' for name in ('vcpus', 'memory_mb', 'disk_gb')},
    } for row in _read(conf, overview.capacity)]


def operations(conf: Any, older: int) -> list[dict[str, Any]]:
    """Return work that has been open for longer than ``older`` seconds."""
    from compute.db import overview
    from compute.objects.value import now
    before = now() - datetime.timedelta(seconds=older)
    rows = _read(conf, lambda connection: overview.open_operations(connection, before, _LIMIT))
    return [{**row, 'age': int((now() - row['created_at']).total_seconds())} for row in rows]


def check_upgrade(conf: Any, as_json: bool = False) -> int:
    """Say for each store whether revisions are missing, and of the controller's what else is not over yet."""
    found = [check for store in STORES for check in _checks(conf, store)]
    if as_json:
        print(json.dumps([check._asdict() for check in found], indent=2))
    else:
        print('\n'.join(f'{check.what}: {check.told}' for check in found))
    return max(check.result for check in found)


class Check(NamedTuple):
    """One line of ``upgrade check``: ``result`` is 0 (fine), 1 (to be done, or going on) or 2 (not known)."""

    what: str
    result: int
    told: str


def _checks(conf: Any, store: Store) -> list[Check]:
    database = store.open(conf)
    try:
        if pending := store.pending(database):
            return [Check(store.name, 1, f'missing {", ".join(pending)}: run "compute-manage db sync"')]
        ready = [Check(store.name, 0, 'ready')]
        return [*ready, *database.read(_data_checks)] if store.name == 'compute' else ready
    except ERRORS as error:
        return [Check(store.name, 2, reason(error))]
    finally:
        database.dispose()


def _data_checks(connection: Any) -> list[Check]:
    """Say of each data migration how much is left."""
    from compute.db.data_migrations import DATA_MIGRATIONS
    left = [(migration, migration.left(connection)) for migration in DATA_MIGRATIONS]
    return [Check(f'data {migration.name}', int(rows > 0), (
        f'{rows} rows to go ({migration.why}): conductors do it, or run "compute-manage db migrate-data"'
        if rows else 'done')) for migration, rows in left]


def _read(conf: Any, function: Any) -> list[dict[str, Any]]:
    store, = named('compute')
    database = store.open(conf)
    try:
        return list(database.read(function))
    finally:
        database.dispose()


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as a text table with a line for the titles."""
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(columns, *cells, strict=True)]
    lines = [columns, ['-' * width for width in widths], *cells]
    return '\n'.join('  '.join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
                     for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return '-'
    if isinstance(value, (list, tuple)):
        return '; '.join(map(str, value)) or '-'
    if isinstance(value, datetime.datetime):
        return value.replace(microsecond=0).isoformat()
    return str(value)
