"""Fills a stack's cloud for a first look: accounts, flavors, an image, a network, a key pair, a server to log in to.

Every step looks first and makes only what is missing. It uses the same public APIs and files as any user: openstacksdk
and clouds.yaml.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time
from typing import Any

import openstack
from report import Failed, step, until

FLAVORS = (  # name, id, MiB, virtual CPUs, GiB
    ('m1.nano', '42', 192, 1, 1), ('m1.tiny', '1', 512, 1, 1), ('m1.small', '2', 2048, 1, 20),
    ('m1.medium', '3', 4096, 2, 40), ('m1.large', '4', 8192, 4, 80), ('m1.xlarge', '5', 16384, 8, 160))
IMAGE, NETWORK, KEY, SERVER, SERVER_FLAVOR = 'debian-tiny', 'private', 'demo', 'first', 'm1.nano'
CIDR = '10.20.0.0/24'
RULES = ({'protocol': 'icmp'}, {'protocol': 'tcp', 'port_range_min': 22, 'port_range_max': 22})
LOGIN_SECONDS, BUILD_SECONDS = 120, 120


class Bootstrap:
    """What is put into the cloud."""

    def __init__(self, folder: pathlib.Path, image: pathlib.Path | None, hosts: int) -> None:
        self.folder, self.image_file, self.hosts = folder, image, hosts
        os.environ['OS_CLIENT_CONFIG_FILE'] = str(folder / 'clouds.yaml')
        self.admin = openstack.connect(cloud='admin')
        self.key_file = folder / 'demo_key'
        self._demo: Any = None
        self.address = ''

    @property
    def demo(self) -> Any:
        """The cloud as the demo user sees it."""
        if self._demo is None:
            self._demo = openstack.connect(cloud='demo')
        return self._demo

    def accounts(self) -> str:
        """Make project and user demo."""
        identity, made = self.admin.identity, []
        project = identity.find_project('demo')
        if project is None:
            project = identity.create_project(name='demo', domain_id='default')
            made.append('project')
        user = identity.find_user('demo')
        password = dict(line.split(' = ', 1) for line in (self.folder / 'etc' / 'settings').read_text().splitlines())
        if user is None:
            user = identity.create_user(name='demo', domain_id='default', default_project_id=project.id,
                                        password=password['demo_password'])
            made.append('user')
        for name in ('member', 'reader'):
            role = identity.find_role(name)
            if not identity.validate_user_has_project_role(project, user, role):
                identity.assign_project_role_to_user(project, user, role)
                made.append(f'role {name}')
        return told(made, 'project and user demo')

    def flavors(self) -> str:
        """Make the flavors that everybody knows, and one that suits the small guest."""
        known = {flavor.name for flavor in self.admin.compute.flavors()}
        made = [name for name, *_ in FLAVORS if name not in known]
        for name, flavor_id, ram, vcpus, disk in FLAVORS:
            if name not in known:
                self.admin.compute.create_flavor(name=name, id=flavor_id, ram=ram, vcpus=vcpus, disk=disk)
        return told(made, ', '.join(name for name, *_ in FLAVORS))

    def image(self) -> str:
        """Upload the guest, or an empty disk where guests are fake."""
        images = self.admin.image
        if (found := images.find_image(IMAGE)) is not None and found.status == 'active':
            return told([], IMAGE)
        if found is not None:
            images.delete_image(found)
        values = {'name': IMAGE, 'container_format': 'bare', 'visibility': 'public', 'min_ram': 160}
        if self.image_file is None:
            image = images.create_image(disk_format='raw', allow_duplicates=True, data=bytes(1024 * 1024), **values)
        else:
            image = images.create_image(disk_format='qcow2', allow_duplicates=True, filename=str(self.image_file),
                                        **values)
        size = images.get_image(image.id).size
        return told([f'{IMAGE}, {size / 1e6:.1f} MB'], IMAGE)

    def network(self) -> str:
        """Make the demo project's network, and let pings and ssh in to its servers."""
        until(60, 'not every host has a living network agent', lambda: self.hosts <= sum(
            agent.is_alive for agent in self.admin.network.agents()))
        network, made = self.demo.network, []
        if (private := network.find_network(NETWORK)) is None:
            private = network.create_network(name=NETWORK)
            made.append(NETWORK)
        if not private.subnet_ids and not list(network.subnets(network_id=private.id)):
            network.create_subnet(name=f'{NETWORK}-subnet', network_id=private.id, ip_version=4, cidr=CIDR)
            made.append(CIDR)
        group = network.find_security_group('default', ignore_missing=False)
        known = {(rule.protocol, rule.port_range_min) for rule in network.security_group_rules(
            security_group_id=group.id, direction='ingress', ethertype='IPv4')}
        for rule in RULES:
            if (rule['protocol'], rule.get('port_range_min')) not in known:
                network.create_security_group_rule(
                    security_group_id=group.id, direction='ingress', ethertype='IPv4', **rule)
                made.append(f'rule for {rule["protocol"]}')
        return told(made, f'{NETWORK} {CIDR}, ping and ssh allowed')

    def key_pair(self) -> str:
        """Make a key pair; its private half stays in the stack's folder."""
        made = []
        if not self.key_file.exists():
            subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'demo', '-f', str(self.key_file)],
                           check=True)
            made.append(str(self.key_file))
        public = self.key_file.with_suffix('.pub').read_text().strip()
        found = self.demo.compute.find_keypair(KEY)
        if found is not None and made:
            self.demo.compute.delete_keypair(found)
            found = None
        if found is None:
            self.demo.compute.create_keypair(name=KEY, public_key=public)
            made.append(KEY)
        return told(made, KEY)

    def server(self) -> str:
        """Boot the first server and wait until it is ACTIVE."""
        compute, began = self.demo.compute, time.monotonic()
        found = compute.find_server(SERVER)
        if found is not None and found.status == 'ERROR':
            compute.delete_server(found)
            compute.wait_for_delete(found)
            found = None
        if found is None:
            found = compute.create_server(
                name=SERVER, image_id=self.demo.image.find_image(IMAGE).id, key_name=KEY,
                flavor_id=compute.find_flavor(SERVER_FLAVOR).id,
                networks=[{'uuid': self.demo.network.find_network(NETWORK).id}])
            made = True
        else:
            made = False

        def ended() -> Any:
            server = compute.get_server(found.id)
            return server if server.status not in ('BUILD', 'REBOOT') else None
        server: Any = until(BUILD_SECONDS, f'the server {SERVER} is still being built', ended)
        if server.status == 'ERROR':
            raise Failed(f'the server {SERVER} is in ERROR: {self._reason(server.id)}')
        self.address = next((entry['addr'] for entries in (server.addresses or {}).values() for entry in entries), '')
        text = f'{SERVER} is {server.status} at {self.address}'
        if not made:
            return f'already: {text}'
        took = parts_of_a_boot(self.folder / 'logs', server.id)
        return f'{text} after {time.monotonic() - began:.1f} s{f" ({took})" if took else ""}'

    def _reason(self, server_id: str) -> str:
        """Return why a server is in ERROR: for administrators with the message of the hypervisor or of a neighbour."""
        fault = self.admin.compute.get_server(server_id).fault or {}
        return str(fault.get('details') or fault.get('message') or 'it has no fault')

    def login(self) -> str:
        """Log in to the first server."""
        until(LOGIN_SECONDS, f'no ssh login to {self.address}', lambda: self._ssh('true'), 1.0)
        return self._ssh('echo "$(hostname): Linux $(uname -r), up $(cut -d. -f1 /proc/uptime) s"')

    def _ssh(self, command: str) -> str:
        done = subprocess.run(
            ['ssh', '-i', str(self.key_file), '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o',
             'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=5',
             f'debian@{self.address}', f'{command} && echo .'], capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.strip().removesuffix('.').strip() or '.' if done.returncode == 0 else ''


def parts_of_a_boot(logs: pathlib.Path, server_id: str) -> str:
    """Return how long the host took for each part of a boot, as the log of its daemon says; empty with fake guests."""
    texts = [path.read_text(errors='replace') for path in logs.glob('compute-*.log')]
    if shutil.which('journalctl'):
        texts.append(subprocess.run(['journalctl', '--boot', '--unit', 'compute-worker', '--output', 'cat'],
                                    capture_output=True, text=True, check=False).stdout)
    found = re.findall(rf'guest {re.escape(server_id)} took (.+)', '\n'.join(texts))
    return ', '.join(dict.fromkeys(found))


def told(made: list[str], what: str) -> str:
    """Return what a step says it did."""
    return ', '.join(made) if made else f'already: {what}'


def quoted(path: pathlib.Path) -> str:
    """Return a path as one types it in a shell."""
    return shlex.quote(str(path))


def summary(bootstrap: Bootstrap, real: bool, command: str) -> str:
    """Return what there is now and what to type next."""
    folder = bootstrap.folder
    rows = [('APIs', bootstrap.admin.session.auth.auth_url), ('clouds', 'demo, admin (clouds.yaml)'),
            ('server', f'{SERVER}, {SERVER_FLAVOR}, {IMAGE}, {bootstrap.address}'), ('logs', f'{folder}/logs')]
    width = max(len(value) for _, value in rows)
    line = f'+{"-" * 10}+{"-" * (width + 2)}+'
    table = '\n'.join([line, *(f'| {name:8} | {value:{width}} |' for name, value in rows), line])
    commands = [f'. {quoted(folder)}/openrc', 'openstack server list', f'openstack server show {SERVER}',
                f'openstack console log show {SERVER}']
    if real:
        commands.append(f'ssh -i {quoted(bootstrap.key_file)} debian@{bootstrap.address}')
    commands += [f'openstack server create --flavor {SERVER_FLAVOR} --image {IMAGE} --network {NETWORK} '
                 f'--key-name {KEY} second',
                 f'{command} status', f'{command} manage operations', f'{command} down']
    return f'\n{table}\n\nNext:\n' + '\n'.join(f'  {command}' for command in commands)


def main() -> int:
    """Do every step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--hosts', type=int, default=1, help='how many hosts there are')
    parser.add_argument('--image', type=pathlib.Path, help='a real guest (qcow2); without it guests are fake')
    parser.add_argument('--command', default='tools/stack.sh', help='how stack.sh is called for this stack')
    options = parser.parse_args()
    bootstrap = Bootstrap(options.folder, options.image, options.hosts)
    apis = f"see '{options.command} status' and the log of that daemon"
    build = f"see '{options.command} status check', which looks for what this machine lacks, and {options.folder}/logs"
    guest = (f"see 'openstack console log show {SERVER}' and {options.folder}/logs; to try again: "
             f"'openstack server delete {SERVER}'")
    steps = [('accounts', bootstrap.accounts, apis), ('flavors', bootstrap.flavors, apis),
             ('upload', bootstrap.image, apis), ('network', bootstrap.network, apis),
             ('key pair', bootstrap.key_pair, apis), ('server', bootstrap.server, build)]
    if options.image:
        steps.append(('login', bootstrap.login, guest))
    for name, function, remedy in steps:
        step(options.folder, name, function, remedy)
    print(summary(bootstrap, bool(options.image), options.command))
    return 0


if __name__ == '__main__':
    sys.exit(main())
