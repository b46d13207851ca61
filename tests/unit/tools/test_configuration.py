"""tools/stack/configuration.py: every daemon gets what it needs, hosts no database, and only options that exist."""

from __future__ import annotations

import configparser
import pathlib
import stat
import subprocess
import sys
from typing import Any

import pytest
import yaml
from oslo_config import cfg

from compute import conf as options

TOOL = pathlib.Path(__file__).resolve().parents[3] / 'tools' / 'stack' / 'configuration.py'
MODES = [('standalone', 'libvirt', 1), ('standalone', 'fake', 3), ('cluster', 'libvirt', 1), ('cluster', 'fake', 100)]
OF_LIBRARIES = {'DEFAULT': {'transport_url', 'use_stderr', 'debug'}}


def configure(folder: pathlib.Path, mode: str, driver: str, hosts: int, *more: str) -> str:
    done = subprocess.run([sys.executable, str(TOOL), str(folder), '--mode', mode, '--driver', driver, '--hosts',
                           str(hosts), '--programs', '/venv/bin', *more], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def read(path: pathlib.Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(default_section='none', strict=True)
    parser.read(path)
    return parser


@pytest.fixture(params=MODES, ids=lambda mode: '-'.join(map(str, mode)))
def configured(request: Any, tmp_path: pathlib.Path) -> tuple[pathlib.Path, str]:
    configure(tmp_path, *request.param)
    return tmp_path, request.param[0]


def test_every_option_exists_and_every_value_is_valid(configured: tuple[pathlib.Path, str]) -> None:
    folder, _ = configured
    for path in folder.glob('etc/*.conf'):
        conf = options.register(cfg.ConfigOpts())
        conf(['--config-file', str(path)], project='compute')
        for section in read(path).sections():
            for name in read(path).options(section):
                if name not in OF_LIBRARIES.get(section, ()):
                    group = conf if section == 'DEFAULT' else conf[section]
                    assert name in group, f'{path.name}: [{section}] {name}'
                    getattr(group, name)  # a wrong value raises


def test_hosts_have_no_database_and_other_daemons_only_their_own(configured: tuple[pathlib.Path, str]) -> None:
    folder, mode = configured
    if mode == 'standalone':
        assert set(read(folder / 'etc' / 'standalone.conf').options('database')) == {
            'connection', 'identity_connection', 'image_connection', 'network_connection'}
        return
    for name in ('worker', 'network-agent'):
        text = (folder / 'etc' / f'{name}.conf').read_text()
        assert '[database]' not in text and 'mysql' not in text
    for name, option in (('identity', 'identity_connection'), ('image', 'image_connection'), ('api', 'connection'),
                         ('network', 'network_connection'), ('conductor', 'connection'), ('scheduler', 'connection')):
        assert read(folder / 'etc' / f'{name}.conf').options('database') == [option]


def test_secrets_are_readable_for_the_owner_only(configured: tuple[pathlib.Path, str]) -> None:
    folder, _ = configured
    for path in folder.rglob('*'):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_agent_and_metadata_share_a_secret(configured: tuple[pathlib.Path, str]) -> None:
    folder, mode = configured
    agent, metadata = ('standalone', 'standalone') if mode == 'standalone' else ('network-agent', 'metadata')
    secret = read(folder / 'etc' / f'{agent}.conf').get('network_agent', 'metadata_shared_secret')
    assert len(secret) >= 32
    assert secret == read(folder / 'etc' / f'{metadata}.conf').get('metadata', 'shared_secret')


def test_a_second_run_changes_nothing(tmp_path: pathlib.Path) -> None:
    assert configure(tmp_path, 'cluster', 'fake', 2).startswith('changed ')
    before = {path: path.read_text() for path in tmp_path.rglob('*') if path.is_file()}
    assert configure(tmp_path, 'cluster', 'fake', 2) == 'same'
    assert before == {path: path.read_text() for path in tmp_path.rglob('*') if path.is_file()}


def test_daemons_get_what_units_give_them(tmp_path: pathlib.Path) -> None:
    configure(tmp_path, 'cluster', 'fake', 1)
    programs = (tmp_path / 'etc' / 'programs.daemons').read_text().splitlines()
    names = [line.partition(' ')[0] for line in programs if '.' not in line.partition(' ')[0]]
    assert len(names) == 9
    for name in names:
        given = next(line for line in programs if line.startswith(f'{name}.environment = '))
        assert ' GLIBC_TUNABLES=glibc.malloc.arena_max=1' in given and ' PYTHONFAULTHANDLER=1' in given


@pytest.mark.parametrize(('name', 'cloud'), [('openrc', 'demo'), ('admin-openrc', 'admin')])
def test_openrc_drops_what_another_cloud_has_set(tmp_path: pathlib.Path, name: str, cloud: str) -> None:
    folder = tmp_path / 'with a blank'
    configure(folder, 'standalone', 'fake', 1)
    other = {'PATH': '/usr/bin:/bin', 'OS_PASSWORD': 'two words', 'OS_AUTH_URL': 'http://other', 'OS_CLOUD': 'other'}
    done = subprocess.run(['sh', '-eu', '-c', f'. "{folder}/{name}"; env'], capture_output=True, text=True, check=True,
                          env=other)
    seen = dict(line.split('=', 1) for line in done.stdout.splitlines() if '=' in line)
    assert {key: value for key, value in seen.items() if key.startswith(('OS_', 'COMPUTE_'))} == {
        'OS_CLOUD': cloud, 'OS_CLIENT_CONFIG_FILE': f'{folder}/clouds.yaml',
        'COMPUTE_CONFIG': f'{folder}/etc/manage.conf'}
    assert seen['PATH'] == '/venv/bin:/usr/bin:/bin'


def test_passwords_differ_between_stacks_and_users(tmp_path: pathlib.Path) -> None:
    found = set()
    for name in ('one', 'two'):
        configure(tmp_path / name, 'standalone', 'fake', 1)
        clouds = yaml.safe_load((tmp_path / name / 'clouds.yaml').read_text())['clouds']
        found |= {clouds[user]['auth']['password'] for user in ('demo', 'admin')}
    assert len(found) == 4


def test_ports_follow_the_base_and_stay(tmp_path: pathlib.Path) -> None:
    configure(tmp_path, 'cluster', 'fake', 1, '--port-base', '21000')
    clouds = yaml.safe_load((tmp_path / 'clouds.yaml').read_text())['clouds']
    assert clouds['demo']['auth']['auth_url'] == 'http://127.0.0.1:21000/v3'
    settings = dict(line.split(' = ') for line in (tmp_path / 'etc' / 'settings').read_text().splitlines())
    ports = [int(value) for name, value in settings.items() if name.endswith('_port')]
    assert sorted(ports) == list(range(21000, 21000 + len(ports)))


def test_a_daemon_is_reached_by_its_name_where_it_listens_everywhere(tmp_path: pathlib.Path) -> None:
    configure(tmp_path, 'standalone', 'fake', 1, '--listen', '0.0.0.0')
    conf = read(tmp_path / 'etc' / 'standalone.conf')
    assert conf.get('api', 'listen_host') == '0.0.0.0'
    assert conf.get('auth', 'url') == 'http://127.0.0.1:5000/v3'
