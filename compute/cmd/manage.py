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

PASSWORD_VARIABLE = 'OS_BOOTSTRAP_PASSWORD'


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 1 when it did not (the reason is on stderr), 2 for a wrong command line."""
    arguments = _parser().parse_args(argv)
    from compute.cmd.stores import ERRORS, reason
    try:
        return int(arguments.run(_configure(arguments), arguments) or 0)
    except (*ERRORS, OSError) as error:
        print(f'compute-manage: {reason(error)}', file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    from compute.cmd.stores import NAMES
    parser = argparse.ArgumentParser(prog='compute-manage', description='Manages the control plane of compute.')
    parser.add_argument('--config-file', action='append', default=[], metavar='FILE',
                        help='configuration file; may be given several times (default: those of the daemons)')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    database = commands.add_parser('db', help='schemas of the stores').add_subparsers(required=True, metavar='ACTION')
    for name, function, text in (('sync', sync, 'bring the stores to the newest schema'),
                                 ('version', version, 'show what is applied and what is missing; 1 if anything is')):
        action = database.add_parser(name, help=text, description=text)
        action.add_argument('--store', choices=NAMES, help='only this store (default: all)')
        action.set_defaults(run=function)
    _identity(commands.add_parser('identity', help='the built-in identity'))
    services = commands.add_parser('service', help='daemons that report themselves')
    listing = services.add_subparsers(required=True, metavar='ACTION').add_parser('list', help='list them')
    listing.set_defaults(run=list_services)
    return parser


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


def _endpoint(text: str) -> tuple[str, str]:
    kind, found, url = text.partition('=')
    if not found or not url.startswith(('http://', 'https://')):
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form TYPE=URL')
    return kind, url


def _configure(arguments: argparse.Namespace) -> Any:
    from compute import service
    words = [word for path in arguments.config_file for word in ('--config-file', path)]
    return service.configure(words, 'compute')


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


def list_services(conf: Any, arguments: argparse.Namespace) -> None:
    """List the daemons that report themselves."""
    from compute.cmd import status
    print(status.table(status.SERVICE_COLUMNS, status.services(conf)))
