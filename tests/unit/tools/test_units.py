"""etc/systemd: a unit for each daemon, sound to systemd, hardened, with a user that reads no other's secrets."""

from __future__ import annotations

import configparser
import os
import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest

from compute import service

ROOT = pathlib.Path(__file__).resolve().parents[3]
ETC = ROOT / 'etc'
NAMES = [f'compute-{name.replace("_", "-")}' for name in (*service.DAEMONS, 'standalone')]
ON_HOSTS = {'compute-worker', 'compute-network-agent', 'compute-standalone'}
LIMIT = 4.0
needs_systemd = pytest.mark.skipif(shutil.which('systemd-analyze') is None, reason='systemd is not installed')


def settings(path: pathlib.Path) -> configparser.RawConfigParser:
    """Read a unit; of a name that occurs twice the last one counts, which is enough here."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


@pytest.fixture(scope='module')
def tree(tmp_path_factory: Any) -> pathlib.Path:
    """A machine with nothing but our units and programs."""
    root: pathlib.Path = tmp_path_factory.mktemp('root')
    units = root / 'etc/systemd/system'
    shutil.copytree(ETC / 'systemd', units)
    if os.path.isdir('/lib/systemd/system'):
        shutil.copytree('/lib/systemd/system', root / 'usr/lib/systemd/system', symlinks=True)
    (root / 'usr/bin').mkdir(parents=True)
    for name in NAMES:
        program = root / 'usr/bin' / name
        program.write_text('#!/bin/sh\n')
        program.chmod(0o755)
    return root


def test_each_daemon_has_a_unit_and_a_user_and_no_unit_is_without_a_daemon() -> None:
    assert {path.stem for path in (ETC / 'systemd').glob('*.service')} == set(NAMES)
    users = {name: settings(ETC / 'systemd' / f'{name}.service')['Service']['User'] for name in NAMES}
    assert users == {name: name for name in NAMES}
    for name in NAMES:
        known = (ETC / 'sysusers.d' / ('compute-host.conf' if name in ON_HOSTS else 'compute.conf')).read_text()
        assert re.search(rf'^u {name} ', known, re.MULTILINE) and f'm {name} compute\n' in known
        files = (ETC / 'tmpfiles.d' / ('compute-host.conf' if name in ON_HOSTS else 'compute.conf')).read_text()
        assert f'z /etc/compute/{name}.conf 0640 root {name}\n' in files


def test_the_mask_of_an_access_list_is_not_narrowed_by_the_mode() -> None:
    # chmod on a folder with an access list sets the list's mask: systemd-tmpfiles does so each time that it is run.
    lines = (ETC / 'tmpfiles.d' / 'compute-host.conf').read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith('#')]
    lists = {rule[1] for rule in rules if rule[0] == 'a+'}
    assert lists
    assert {rule[1]: rule[2][-2] for rule in rules if rule[0] == 'd' and rule[1] in lists} == dict.fromkeys(lists, '7')


@needs_systemd
@pytest.mark.skipif(os.geteuid() != 0, reason='only root may give entries of an access list to others')
def test_who_may_make_network_namespaces_may_also_after_the_second_run_of_tmpfiles(tmp_path: pathlib.Path) -> None:
    rules = (ETC / 'tmpfiles.d' / 'compute-host.conf').read_text()
    rule = ''.join(f'{line}\n' for line in rules.splitlines() if '/run/netns' in line and not line.startswith('#'))
    conf = tmp_path / 'test.conf'
    conf.write_text(re.sub('compute-[a-z-]+:', 'nobody:', rule).replace('/run/netns', str(tmp_path / 'netns')))
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if str(folder).startswith('/tmp/'):
            folder.chmod(0o711)
    for name in ('first', 'second'):
        subprocess.run(['systemd-tmpfiles', '--create', str(conf)], check=True)
        subprocess.run(['setpriv', '--reuid=nobody', '--clear-groups', 'touch', str(tmp_path / 'netns' / name)],
                       check=True)


def test_a_stop_may_take_as_long_as_a_graceful_one_does() -> None:
    from compute.conf import default
    patience = next(option.default for option in default.OPTS if option.name == 'graceful_shutdown_timeout')
    every = settings(ETC / 'systemd/compute-.service.d/10-every-daemon.conf')['Service']
    assert patience < int(every['TimeoutStopSec']) <= patience + 30
    assert int(every['TimeoutStartSec']) <= 90 and every['Type'] == 'notify' and int(every['WatchdogSec'])


@needs_systemd
def test_systemd_finds_nothing_wrong(tree: pathlib.Path) -> None:
    units = [str(path) for path in (tree / 'etc/systemd/system').glob('compute*.*') if path.is_file()]
    done = subprocess.run(['systemd-analyze', 'verify', f'--root={tree}', '--man=no', '--recursive-errors=no', *units],
                          capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if 'compute' in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@needs_systemd
@pytest.mark.parametrize('name', NAMES)
def test_exposure(tree: pathlib.Path, name: str) -> None:
    done = subprocess.run(
        ['systemd-analyze', 'security', '--offline=true', f'--root={tree}', '--no-pager',
         f'--threshold={LIMIT * 10:.0f}', str(tree / 'etc/systemd/system' / f'{name}.service')],
        capture_output=True, text=True, check=False, env={**os.environ, 'SYSTEMD_COLORS': '0'})
    found = re.search(rf'Overall exposure level for {name}.service: ([0-9.]+)', done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= LIMIT and done.returncode == 0, done.stdout
    if name in set(NAMES) - {'compute-network-agent', 'compute-standalone'}:
        assert float(found[1]) < 2, done.stdout  # no capability: nothing speaks against all of the hardening
