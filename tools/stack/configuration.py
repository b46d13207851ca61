"""Writes the configuration of a stack: one file for each daemon, the list of programs, clouds.yaml and openrc.

Ports and passwords are chosen once and kept in ``etc/settings``, so that running it again writes the same. A daemon's file
holds only what that daemon reads: hosts have the address of the broker and the service user's password, and no database.
Prints ``changed`` with the names of the files it wrote, or ``same``.
"""

from __future__ import annotations

import argparse
import pathlib
import secrets
import shlex
import socket
import sys

STANDARD_PORTS = {'identity': 5000, 'image': 9292, 'network': 9696, 'compute': 8774, 'metadata': 8775,
                  'broker': 15672, 'database': 13306, 'epmd': 14369, 'distribution': 35672}
PASSWORDS = ('admin_password', 'demo_password', 'service_password', 'broker_password', 'database_password',
             'metadata_secret')
STORES = {'compute': 'connection', 'identity': 'identity_connection', 'image': 'image_connection',
          'network': 'network_connection'}
STORE_USERS = {'identity': ('identity',), 'image': ('image',), 'network': ('network',), 'api': ('compute',),
               'scheduler': ('compute',), 'conductor': ('compute',), 'metadata': ('compute',),
               'standalone': tuple(STORES), 'manage': tuple(STORES)}
CLUSTER = ('identity', 'image', 'network', 'conductor', 'scheduler', 'api', 'metadata', 'network-agent', 'worker')
Sections = dict[str, dict[str, object]]


class Stack:
    """What was asked for, and what was chosen for it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder: pathlib.Path = options.folder
        self.mode, self.driver, self.hosts, self.listen = options.mode, options.driver, options.hosts, options.listen
        self.settings = self._settings(options.port_base)

    def _settings(self, base: int) -> dict[str, str]:
        path = self.folder / 'etc' / 'settings'
        kept = dict(line.split(' = ', 1) for line in path.read_text().splitlines()) if path.exists() else {}
        for number, (name, port) in enumerate(STANDARD_PORTS.items()):
            kept.setdefault(f'{name}_port', str(base + number if base else port))
        for name in PASSWORDS:
            kept.setdefault(name, secrets.token_hex(16))
        return kept

    def port(self, name: str) -> int:
        """Return the port of a service."""
        return int(self.settings[f'{name}_port'])

    def reach(self, name: str) -> str:
        """Return the URL at which a REST daemon is reached from here."""
        host = '127.0.0.1' if self.listen in ('0.0.0.0', '::') else self.listen
        return f'http://{host}:{self.port(name)}'

    def transport(self) -> str:
        """Return the address of the broker."""
        if self.mode == 'standalone':
            return 'kombu+memory://'
        return (f'rabbit://compute:{self.settings["broker_password"]}@127.0.0.1:{self.port("broker")}/compute')

    def database(self, store: str) -> str:
        """Return the address of a store."""
        if self.mode == 'standalone':
            return f'sqlite:///{self.folder}/data/{store}.sqlite'
        name = f'compute_{store}' if store != 'compute' else 'compute'
        return (f'mysql+pymysql://compute:{self.settings["database_password"]}@127.0.0.1:{self.port("database")}/{name}'
                '?charset=utf8mb4')

    def host_names(self) -> list[str]:
        """Return the names of the hosts that one process acts for; empty for this machine under its own name."""
        return [f'host-{number:04}' for number in range(1, self.hosts + 1)] if self.hosts > 1 else []


def sections(stack: Stack, daemon: str) -> Sections:
    """Return the configuration of one daemon."""
    every: Sections = {
        'DEFAULT': {'host': socket.gethostname(), 'transport_url': stack.transport(), 'use_stderr': True,
                    'debug': False},
        'auth': {'url': f'{stack.reach("identity")}/v3'},
        'service_user': {'password': stack.settings['service_password']},
    }
    own = {'identity': identity, 'image': image, 'network': network, 'api': api, 'metadata': metadata,
           'worker': worker, 'network-agent': network_agent}
    rooms = own if daemon in ('standalone', 'manage') else {daemon: own[daemon]} if daemon in own else {}
    for room in rooms.values():
        every.update(room(stack))
    if daemon == 'api' and 'metadata' not in rooms:
        every.update({})
    if daemon in STORE_USERS:
        every['database'] = {STORES[store]: stack.database(store) for store in STORE_USERS[daemon]}
    return every


def identity(stack: Stack) -> Sections:
    """Return the sections of compute-identity. Hashing is made cheap: these passwords are long and random."""
    return {'identity': {'listen_host': stack.listen, 'listen_port': stack.port('identity'),
                         'key_repository': f'{stack.folder}/data/identity-keys', 'password_hash_rounds': 8}}


def image(stack: Stack) -> Sections:
    """Return the sections of compute-image."""
    return {'image': {'listen_host': stack.listen, 'listen_port': stack.port('image'),
                      'store_path': f'{stack.folder}/data/images'}}


def network(stack: Stack) -> Sections:
    """Return the sections of compute-network."""
    return {'network': {'listen_host': stack.listen, 'listen_port': stack.port('network')}}


def api(stack: Stack) -> Sections:
    """Return the sections of compute-api. With the fake driver, quotas are out of the way of load tests."""
    more: Sections = {'api': {'listen_host': stack.listen, 'listen_port': stack.port('compute')}}
    if stack.driver == 'fake':
        more['quota'] = dict.fromkeys(('instances', 'cores', 'ram'), -1)
    return more


def metadata(stack: Stack) -> Sections:
    """Return the sections of compute-metadata, which only the agents of this machine ask."""
    return {'metadata': {'listen_host': '127.0.0.1', 'listen_port': stack.port('metadata'),
                         'shared_secret': stack.settings['metadata_secret']}}


def worker(stack: Stack) -> Sections:
    """Return the sections of compute-worker."""
    data = stack.folder / 'data'
    found: Sections = {
        'virt': {'driver': stack.driver},
        'worker': {'state_path': f'{data}/worker', 'heartbeat_interval': 5 if stack.hosts < 50 else 10}}
    if stack.driver == 'fake':
        found['fake'] = {'state_dir': f'{data}/fake'} if stack.hosts < 50 else {}
        found['worker'].update(hosts=stack.host_names(), reserved_memory_mb=0)
    else:
        found['libvirt'] = {'instances_path': stack.settings.get('instances_path', f'{data}/instances')}
    return found


def network_agent(stack: Stack) -> Sections:
    """Return the sections of compute-network-agent."""
    options: dict[str, object] = {
        'driver': 'linux' if stack.driver == 'libvirt' else 'fake', 'state_dir': f'{stack.folder}/data/network_agent',
        'metadata_url': f'http://127.0.0.1:{stack.port("metadata")}',
        'metadata_shared_secret': stack.settings['metadata_secret']}
    if stack.driver == 'fake':
        options['hosts'] = stack.host_names()
    return {'network_agent': options}


def ini(content: Sections) -> str:
    """Return sections as the text of a configuration file."""
    parts = []
    for name, options in content.items():
        lines = [f'{key} = {",".join(value) if isinstance(value, list) else value}' for key, value in options.items()]
        parts.append('\n'.join([f'[{name}]', *lines, '']))
    return '\n'.join(parts)


def programs(stack: Stack, programs_folder: str) -> str:
    """Return the list of daemons for tools/supervise."""
    lines = []
    for name in (('standalone',) if stack.mode == 'standalone' else CLUSTER):
        command = [f'{programs_folder}/compute-{name}', '--config-file', f'{stack.folder}/etc/{name}.conf']
        lines.append(f'compute-{name} = {shlex.join(command)}')
    return '\n'.join(lines) + '\n'


def clouds(stack: Stack) -> str:
    """Return clouds.yaml."""
    entries = []
    for user in ('demo', 'admin'):
        entries.append(f'''  {user}:
    auth:
      auth_url: {stack.reach('identity')}/v3
      username: {user}
      password: {stack.settings[f'{user}_password']}
      project_name: {user}
      user_domain_name: Default
      project_domain_name: Default
    region_name: RegionOne
    identity_api_version: 3
''')
    return 'clouds:\n' + ''.join(entries)


def openrc(stack: Stack, user: str, programs_folder: str) -> str:
    """Return the file to source in a shell before calling ``openstack``."""
    return (f'# . {stack.folder}/{"openrc" if user == "demo" else "admin-openrc"}\n'
            f'export OS_CLIENT_CONFIG_FILE={shlex.quote(str(stack.folder / "clouds.yaml"))}\n'
            f'export OS_CLOUD={user}\n'
            f'case :$PATH: in *:{programs_folder}:*) ;; *) export PATH={shlex.quote(programs_folder)}:$PATH ;; esac\n')


def write(path: pathlib.Path, text: str) -> bool:
    """Write a file that only its owner may read; tell whether that changed it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text() == text:
        return False
    path.touch(0o600)
    path.write_text(text)
    return True


def main() -> int:
    """Write everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--mode', choices=('standalone', 'cluster'), required=True)
    parser.add_argument('--driver', choices=('libvirt', 'fake'), required=True)
    parser.add_argument('--hosts', type=int, default=1)
    parser.add_argument('--port-base', type=int, default=0)
    parser.add_argument('--listen', default='127.0.0.1')
    parser.add_argument('--programs', required=True, help='folder with the compute-* programs')
    parser.add_argument('--instances', help='folder for the disks of guests, where the stack\'s own cannot be used')
    options = parser.parse_args()
    stack = Stack(options)
    if options.instances:
        stack.settings['instances_path'] = options.instances
    etc = stack.folder / 'etc'
    files = {'etc/settings': ''.join(f'{key} = {value}\n' for key, value in stack.settings.items()),
             'etc/programs': programs(stack, options.programs), 'clouds.yaml': clouds(stack),
             'openrc': openrc(stack, 'demo', options.programs),
             'admin-openrc': openrc(stack, 'admin', options.programs)}
    for daemon in (('standalone', 'manage') if stack.mode == 'standalone' else (*CLUSTER, 'manage')):
        files[f'etc/{daemon}.conf'] = ini(sections(stack, daemon))
    etc.mkdir(parents=True, exist_ok=True, mode=0o755)
    (stack.folder / 'data').mkdir(exist_ok=True, mode=0o755)
    changed = [name for name, text in files.items() if write(stack.folder / name, text)]
    print('changed ' + ' '.join(changed) if changed else 'same')
    return 0


if __name__ == '__main__':
    sys.exit(main())
