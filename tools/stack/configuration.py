"""Writes the configuration of a stack: one file for each daemon, the list of programs, clouds.yaml and openrc.

Ports and passwords are chosen once and kept in ``etc/settings``, so that running it again writes the same. A daemon's
file holds only what that daemon reads: hosts have the address of the broker and the service user's password, and no
database.
Prints ``changed`` with the names of the files it wrote, or ``same``.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import secrets
import shlex
import socket
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STANDARD_PORTS = {'identity': 5000, 'image': 9292, 'network': 9696, 'compute': 8774, 'metadata': 8775,
                  'broker': 15672, 'database': 13306, 'epmd': 14369, 'distribution': 35672,
                  'standalone_health': 8780, 'conductor_health': 8781, 'scheduler_health': 8782,
                  'worker_health': 8783, 'network-agent_health': 8784}
PASSWORDS = ('admin_password', 'demo_password', 'service_password', 'broker_password', 'database_password',
             'metadata_secret')
SYSTEM_DATA = '/var/lib/compute'  # where the units of the daemons may write
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
        self.units: bool = options.units
        self.data = pathlib.Path(SYSTEM_DATA) if self.units else self.folder / 'data'
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
        return (f'mysql+pymysql://compute:{self.settings["database_password"]}@127.0.0.1:{self.port("database")}/'
                f'{database_name(store)}')

    def host_names(self) -> list[str]:
        """Return the names of the hosts that one process acts for; empty for this machine under its own name."""
        return [f'host-{number:04}' for number in range(1, self.hosts + 1)] if self.hosts > 1 else []


def sections(stack: Stack, daemon: str) -> Sections:
    """Return the configuration of one daemon."""
    every: Sections = {
        'DEFAULT': {'host': socket.gethostname(), 'transport_url': stack.transport(),
                    'use_stderr': not stack.units, 'debug': False},
        'auth': {'url': f'{stack.reach("identity")}/v3'},
        'service_user': {'password': stack.settings['service_password']},
    }
    own = {'identity': identity, 'image': image, 'network': network, 'api': api, 'metadata': metadata,
           'worker': worker, 'network-agent': network_agent}
    if f'{daemon}_health' in STANDARD_PORTS:
        every['health'] = {'listen_port': stack.port(f'{daemon}_health')}
    rooms = own if daemon in ('standalone', 'manage') else {daemon: own[daemon]} if daemon in own else {}
    for room in rooms.values():
        every.update(room(stack))
    if daemon in STORE_USERS:
        every['database'] = {STORES[store]: stack.database(store) for store in STORE_USERS[daemon]}
    return every


def identity(stack: Stack) -> Sections:
    """Return the sections of compute-identity. Hashing is made cheap: these passwords are long and random."""
    return {'identity': {'listen_host': stack.listen, 'listen_port': stack.port('identity'),
                         'key_repository': f'{stack.data}/identity-keys', 'password_hash_rounds': 8}}


def image(stack: Stack) -> Sections:
    """Return the sections of compute-image."""
    return {'image': {'listen_host': stack.listen, 'listen_port': stack.port('image'),
                      'store_path': f'{stack.data}/images'}}


def network(stack: Stack) -> Sections:
    """Return the sections of compute-network."""
    options: dict[str, object] = {'listen_host': stack.listen, 'listen_port': stack.port('network')}
    if stack.driver == 'fake':
        options.update(dict.fromkeys(('quota_network', 'quota_subnet', 'quota_port'), -1))
    return {'network': options}


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
    data = stack.data
    found: Sections = {
        'virt': {'driver': stack.driver},
        'worker': {'state_path': f'{data}/worker', 'heartbeat_interval': 5 if stack.hosts < 50 else 10}}
    if stack.driver == 'fake':
        found['fake'] = {'state_dir': f'{data}/worker/fake'} if stack.hosts < 50 else {}
        found['worker'].update(hosts=stack.host_names(), reserved_memory_mb=0)
    else:
        found['libvirt'] = {'instances_path': stack.settings.get('instances_path', f'{data}/instances')}
    return found


def network_agent(stack: Stack) -> Sections:
    """Return the sections of compute-network-agent."""
    options: dict[str, object] = {
        'driver': 'linux' if stack.driver == 'libvirt' else 'fake', 'state_dir': f'{stack.data}/network_agent',
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


def daemon_programs(stack: Stack, programs_folder: str) -> str:
    """Return the list of daemons for tools/supervise, with the environment that units give them."""
    lines, environment = [], units_environment()
    for name in (('standalone',) if stack.mode == 'standalone' else CLUSTER):
        command = [f'{programs_folder}/compute-{name}', '--config-file', f'{stack.folder}/etc/{name}.conf']
        lines += [f'compute-{name} = {shlex.join(command)}', f'compute-{name}.environment = {environment}']
    return '\n'.join(lines) + '\n'


def units_environment() -> str:
    """Return the variables that each unit of a daemon sets."""
    text = (ROOT / 'etc' / 'systemd' / 'compute-.service.d' / '10-every-daemon.conf').read_text()
    return ' '.join(re.findall('^Environment=(.*)$', text, re.MULTILINE))


def broker_programs(stack: Stack) -> str:
    """Return RabbitMQ and the port mapper that it needs, both on the loopback only and with data of their own."""
    data = stack.folder / 'data' / 'rabbitmq'
    environment = {
        'HOME': data, 'RABBITMQ_ALLOW_INPUT': 1, 'RABBITMQ_NODENAME': f'stack{stack.port("broker")}@localhost',
        'RABBITMQ_MNESIA_BASE': data / 'mnesia', 'RABBITMQ_LOG_BASE': data / 'log', 'RABBITMQ_LOGS': '-',
        'RABBITMQ_PID_FILE': data / 'pid', 'RABBITMQ_ENABLED_PLUGINS_FILE': data / 'enabled_plugins',
        'RABBITMQ_CONFIG_FILE': data / 'rabbitmq', 'RABBITMQ_CONF_ENV_FILE': data / 'none',
        'RABBITMQ_DIST_PORT': stack.port('distribution'), 'ERL_EPMD_PORT': stack.port('epmd'),
        'ERL_EPMD_ADDRESS': '127.0.0.1',
        'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '+sbwt none -kernel inet_dist_use_interface {127,0,0,1}'}
    pairs = ' '.join(shlex.quote(f'{key}={value}') for key, value in environment.items())
    return (f'epmd = epmd -address 127.0.0.1 -port {stack.port("epmd")}\n'
            'rabbitmq = /usr/lib/rabbitmq/bin/rabbitmq-server -noinput\n'
            f'rabbitmq.environment = {pairs}\nrabbitmq.grace = 30\n')


def broker_configuration(stack: Stack) -> str:
    """Return rabbitmq.conf."""
    options = {
        'listeners.tcp.local': f'127.0.0.1:{stack.port("broker")}', 'default_user': 'compute',
        'default_pass': stack.settings['broker_password'], 'default_vhost': 'compute',
        'default_permissions.configure': '.*', 'default_permissions.read': '.*', 'default_permissions.write': '.*',
        'log.console': 'true', 'log.console.level': 'warning', 'disk_free_limit.absolute': '50MB'}
    return ''.join(f'{key} = {value}\n' for key, value in options.items())


def database_programs(stack: Stack) -> str:
    """Return MariaDB, on the loopback only and with data of its own."""
    data = stack.folder / 'data' / 'mariadb'
    command = ['mariadbd', '--no-defaults', f'--datadir={data}', f'--socket={data}.sock', f'--pid-file={data}.pid',
               f'--port={stack.port("database")}', '--bind-address=127.0.0.1', '--skip-name-resolve',
               '--max-connections=500', '--innodb-flush-log-at-trx-commit=2', '--performance-schema=OFF',
               f'--init-file={stack.folder}/etc/mariadb.sql']
    if os.geteuid() == 0:
        command.append('--user=root')
    return f'mariadb = {shlex.join(command)}\nmariadb.grace = 30\n'


def database_users(stack: Stack) -> str:
    """Return what MariaDB runs at each start: the stores and who may use them."""
    password = stack.settings['database_password']
    lines = [f"CREATE USER IF NOT EXISTS 'compute'@'127.0.0.1' IDENTIFIED BY '{password}';"]
    for store in STORES:
        name = database_name(store)
        lines += [f'CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;',
                  f"GRANT ALL ON {name}.* TO 'compute'@'127.0.0.1';"]
    return '\n'.join(lines) + '\n'


def database_name(store: str) -> str:
    """Return the name of a store's database."""
    return store if store == 'compute' else f'compute_{store}'


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
    name, programs = 'openrc' if user == 'demo' else 'admin-openrc', shlex.quote(programs_folder)
    return (f'# . {shlex.quote(str(stack.folder))}/{name}\n'
            # What another cloud has set would mix with this one's.
            'for name in $(env | sed -n "s/^\\(OS_[A-Za-z0-9_]*\\)=.*/\\1/p"); do unset "$name"; done; unset name\n'
            f'export COMPUTE_CONFIG={shlex.quote(str(stack.folder / "etc" / "manage.conf"))}\n'
            f'export OS_CLIENT_CONFIG_FILE={shlex.quote(str(stack.folder / "clouds.yaml"))}\n'
            f'export OS_CLOUD={user}\n'
            f'case :$PATH: in *:{programs}:*) ;; *) export PATH={programs}:$PATH ;; esac\n')


def write(path: pathlib.Path, text: str) -> bool:
    """Write a file that only its owner may read; tell whether that changed it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text() == text:
        return False
    path.touch(0o600)
    path.write_text(text)
    return True


def texts(stack: Stack, programs_folder: str) -> dict[str, str]:
    """Return every file with its text."""
    files = {'etc/settings': ''.join(f'{key} = {value}\n' for key, value in stack.settings.items()),
             'etc/programs.daemons': daemon_programs(stack, programs_folder), 'clouds.yaml': clouds(stack),
             'openrc': openrc(stack, 'demo', programs_folder),
             'admin-openrc': openrc(stack, 'admin', programs_folder)}
    if stack.mode == 'cluster':
        files.update({
            'etc/programs.broker': broker_programs(stack), 'etc/programs.database': database_programs(stack),
            'etc/mariadb.sql': database_users(stack), 'data/rabbitmq/rabbitmq.conf': broker_configuration(stack),
            'data/rabbitmq/enabled_plugins': '[].\n'})
    for daemon in (('standalone', 'manage') if stack.mode == 'standalone' else (*CLUSTER, 'manage')):
        files[f'etc/{daemon}.conf'] = ini(sections(stack, daemon))
    return files


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
    parser.add_argument('--units', action='store_true', help='the daemons are units of systemd')
    parser.add_argument('--instances', help='folder for the disks of guests, where the stack\'s own cannot be used')
    options = parser.parse_args()
    stack = Stack(options)
    if options.instances:
        stack.settings['instances_path'] = options.instances
    files = texts(stack, options.programs)
    for folder in ('etc', 'data'):
        (stack.folder / folder).mkdir(parents=True, exist_ok=True, mode=0o755)
    changed = [name for name, text in files.items() if write(stack.folder / name, text)]
    print('changed ' + ' '.join(changed) if changed else 'same')
    return 0


if __name__ == '__main__':
    sys.exit(main())
