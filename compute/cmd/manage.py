"""compute-manage: what an operator does to a control plane beside its APIs: schemas, the first login, signing keys.

It speaks to the stores directly, so it runs where the control plane's configuration is. It changes nothing on hosts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from compute import concurrency

concurrency.patch(concurrency.THREADING)

from compute.cmd import configuration
from compute.cmd.programs import program

PASSWORD_VARIABLE = 'OS_BOOTSTRAP_PASSWORD'


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 1 when it did not (the reason is on stderr), 2 for a wrong command line."""
    arguments = parser_of().parse_args(argv)
    from compute.cmd.stores import ERRORS, reason
    try:
        return int(arguments.run(configuration.read(arguments.config_file), arguments) or 0)
    except (*ERRORS, OSError) as error:
        print(f'compute-manage: {reason(error)}', file=sys.stderr)
        return 1


def parser_of() -> argparse.ArgumentParser:
    from compute.cmd.stores import NAMES
    about = program('compute-manage')
    parser = argparse.ArgumentParser(prog=about.name, description=about.does, epilog=about.epilog)
    configuration.add_argument(parser)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    database = commands.add_parser('db', help='schemas of the stores').add_subparsers(required=True, metavar='ACTION')
    for name, function, text in (('sync', sync, 'bring the stores to the newest schema'),
                                 ('version', version, 'show what is applied and what is missing; 1 if anything is')):
        action = database.add_parser(name, help=text, description=text)
        action.add_argument('--store', choices=NAMES, help='only this store (default: all)')
        action.set_defaults(run=function)
    text = 'change data to what this version wants now; conductors do it little by little in the background'
    action = database.add_parser('migrate-data', help=text, description=text)
    action.add_argument('--batch', type=int, default=1000, metavar='ROWS', help='rows in one transaction (%(default)s)')
    action.set_defaults(run=migrate_data)
    _identity(commands.add_parser('identity', help='the built-in identity'))
    services = commands.add_parser('service', help='daemons that report themselves')
    listing = services.add_subparsers(required=True, metavar='ACTION').add_parser('list', help='list them')
    listing.set_defaults(run=list_services)
    work = commands.add_parser('operations', help='work that is open, the oldest first: its stage, owner and age')
    work.add_argument('--older', type=int, default=0, metavar='SECONDS', help='open for longer than this (%(default)s)')
    work.set_defaults(run=list_operations)
    _trace(commands.add_parser('trace', help='what became of a request', description=(
        'Show what became of a request: the lines that daemons logged of it, in order, with what the ledger says. '
        'Ends with 1 when nothing is known.')))
    _audit(commands.add_parser('audit', help='look for what should not be', description=(
        'Look for what should not be: operations that hang, counters that do not add up, things that belong to nobody. '
        'Ends with 0 when nothing is wrong, 3 when something is and was not fixed, 4 when nothing is as far as could '
        'be seen.')))
    return parser


def _trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('request_id', metavar='REQUEST_ID',
                        help='X-OpenStack-Request-ID of the answer, the id that the caller sent with the request, or '
                             'that of a trace (traceparent)')
    parser.add_argument('--log', action='append', default=[], metavar='PATH',
                        help='log file, or folder of log files; may be given several times (default: as configured)')
    parser.add_argument('--journal', action='store_true', help='look into the journal of systemd, too')
    parser.add_argument('--no-ledger', dest='ledger', action='store_false',
                        help='logs only: for hosts, which do not reach the database')
    parser.add_argument('--json', action='store_true', help='print JSON')
    parser.set_defaults(run=trace)


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--fix', action='store_true', help='fix what can be fixed without anybody\'s judgement')
    parser.add_argument('--only', action='append', default=[], metavar='CODE',
                        help='report, and fix, findings of this code only; may be given several times')
    parser.add_argument('--no-hosts', action='store_true', help='look at the store only: ask no host and no neighbour')
    parser.add_argument('--pause', type=float, metavar='SECONDS',
                        help='time between the two looks (default: [conductor] audit_pause)')
    parser.add_argument('--json', action='store_true', help='print JSON')
    parser.set_defaults(run=audit)


def _identity(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar='ACTION')
    text = ('make roles, the first domain, projects, the administrator, the service user of the configuration and '
            f'the catalog. The password of the administrator is taken from the environment ({PASSWORD_VARIABLE}). '
            'Running it again repairs what differs.')
    action = actions.add_parser('bootstrap', help='make what a first login needs', description=text)
    action.add_argument('--host', default='127.0.0.1', help='address at which clients reach the APIs (%(default)s)')
    action.add_argument('--region', help='region of the endpoints (default: [service_user] region_name)')
    action.add_argument('--endpoint', action='append', default=[], metavar='TYPE=URL', type=_endpoint,
                        help='endpoint of a service that is elsewhere, such as image=https://glance.example.org')
    action.set_defaults(run=bootstrap)
    action = actions.add_parser('rotate-keys', help='sign tokens with the next key',
                                description='Sign tokens with the next key. Tokens that are out stay valid. Do it on '
                                            'one identity daemon and copy the key repository to the others.')
    action.set_defaults(run=rotate_keys)
    action = actions.add_parser('rotate-credential-keys', help='encrypt credentials with a new key',
                                description='Encrypt the credentials that users keep with a new key. Do it on one '
                                            'identity daemon and copy the key repository to the others at once.')
    action.set_defaults(run=rotate_credential_keys)


def _endpoint(text: str) -> tuple[str, str]:
    kind, found, url = text.partition('=')
    if not found or not url.startswith(('http://', 'https://')):
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form TYPE=URL')
    return kind, url


def sync(conf: Any, arguments: argparse.Namespace) -> None:
    """Bring schemas up to date."""
    from compute.cmd.stores import named
    for store in named(arguments.store):
        database = store.open(conf)
        try:
            applied = store.upgrade(database)
        finally:
            database.dispose()
        print(f'{store.name}: {"applied " + ", ".join(applied) if applied else "is at the newest schema"}')


def version(conf: Any, arguments: argparse.Namespace) -> int:
    """Show schemas."""
    from compute.cmd.stores import named
    missing = 0
    for store in named(arguments.store):
        database = store.open(conf)
        try:
            pending = store.pending(database)
        finally:
            database.dispose()
        missing += len(pending)
        print(f'{store.name}: {"missing " + ", ".join(pending) if pending else "is at the newest schema"}')
    return 1 if missing else 0


def bootstrap(conf: Any, arguments: argparse.Namespace) -> int:
    """Fill the store of the built-in identity."""
    from compute.builtin.identity.bootstrap import bootstrap as fill
    from compute.cmd.stores import named
    password = os.environ.get(PASSWORD_VARIABLE, '')
    if not password:
        print(f'compute-manage: {PASSWORD_VARIABLE} has to give the password of the administrator', file=sys.stderr)
        return 2
    store, = named('identity')
    database = store.open(conf)
    try:
        store.upgrade(database)
        made = fill(database, admin_password=password, region=arguments.region or conf.service_user.region_name,
                    endpoints=endpoints(conf, arguments.host, dict(arguments.endpoint)),
                    service_password=conf.service_user.password or None, service_name=conf.service_user.username,
                    rounds=conf.identity.password_hash_rounds)
    finally:
        database.dispose()
    print('\n'.join(made['changed']) or 'identity: nothing to change')
    return 0


def endpoints(conf: Any, host: str, elsewhere: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the catalog: the daemons of this configuration at ``host``, and services that are elsewhere."""
    here = {
        'identity': ('keystone', conf.identity.listen_port, '/v3'),
        'image': ('glance', conf.image.listen_port, ''),
        'network': ('neutron', conf.network.listen_port, ''),
        'compute': ('nova', conf.api.listen_port, '/v2.1'),
    }
    catalog = {}
    for kind, (name, port, path) in here.items():
        url = elsewhere.pop(kind, f'http://{host}:{port}{path}')
        catalog[kind] = {'name': name, 'public': url, 'internal': url, 'admin': url}
    for kind, url in elsewhere.items():
        catalog[kind] = {'name': kind, 'public': url, 'internal': url, 'admin': url}
    return catalog


def rotate_keys(conf: Any, arguments: argparse.Namespace) -> None:
    """Let the staged key sign."""
    from compute.builtin.identity.keys import KeyRepository
    keys = KeyRepository(conf.identity.key_repository, conf.identity.token_lifetime)
    print(f'tokens are signed with key {keys.rotate()} from now on')


def rotate_credential_keys(conf: Any, arguments: argparse.Namespace) -> None:
    """Re-encrypt the credentials with a new key."""
    from compute.builtin.identity.credential_keys import CredentialKeys
    from compute.builtin.identity.db.credential_rows import reseal
    from compute.cmd.stores import named
    store, = named('identity')
    database, keys = store.open(conf), CredentialKeys(conf.identity.key_repository)
    try:
        reseal(database, keys)  # a rotation that was broken off may have left rows of an older key
        keys.add()
        print(f'{reseal(database, keys)} credentials are encrypted with a new key')
    finally:
        database.dispose()


def migrate_data(conf: Any, arguments: argparse.Namespace) -> int:
    """Make all data migrations, in small transactions, so that it may be done while everything runs."""
    from compute.cmd.stores import named
    from compute.db.data_migrations import DATA_MIGRATIONS
    if arguments.batch < 1:
        print(f'compute-manage: --batch takes a number from 1: {arguments.batch}', file=sys.stderr)
        return 2
    store, = named('compute')
    database = store.open(conf)
    try:
        for migration in DATA_MIGRATIONS:
            print(f'{migration.name}: {_migrate(database, migration, arguments.batch)} rows changed')
    finally:
        database.dispose()
    return 0


def _migrate(database: Any, migration: Any, batch: int) -> int:
    total, changed = 0, batch
    while changed == batch:
        changed = database.transaction(lambda connection: migration.step(connection, batch))
        total += changed
    return total


def list_services(conf: Any, arguments: argparse.Namespace) -> None:
    """List the daemons that report themselves."""
    from compute.cmd import status
    print(status.table(status.SERVICE_COLUMNS, status.services(conf)))


def list_operations(conf: Any, arguments: argparse.Namespace) -> None:
    """List open operations with who holds them."""
    from compute.cmd import status
    print(status.table((*status.OPERATION_COLUMNS, 'owner', 'lease_until', 'request_id'),
                       status.operations(conf, arguments.older)))


def audit(conf: Any, arguments: argparse.Namespace) -> int:
    """Audit the control plane."""
    from compute.cmd import audit as command
    return command.run(conf, arguments)


def trace(conf: Any, arguments: argparse.Namespace) -> int:
    """Show what became of a request."""
    from compute.cmd import trace as command
    return command.run(conf, arguments)
