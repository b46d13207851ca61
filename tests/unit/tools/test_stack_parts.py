"""Python parts of tools/stack.sh and of the installation of units, called as functions."""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import pathlib
import re
import shutil
import subprocess
import types
from typing import Any

import pytest

from compute.virt.laps import Laps

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOOLS = ROOT / 'tools'
SERVER = '70c97dc2-7c57-4f7a-87c2-c7530c40e8c4'


class Cloud:
    """A cloud as one user sees it, in which each server fails."""

    def __init__(self, fault: dict[str, str] | None) -> None:
        self.compute = self.image = self.network = self
        self.made = types.SimpleNamespace(id=SERVER, status='ERROR', fault=fault)

    def find_server(self, name: str) -> None:
        """There is none."""

    def find_image(self, name: str) -> Any:
        return types.SimpleNamespace(id=name)

    find_flavor = find_network = find_image

    def create_server(self, **values: Any) -> Any:
        return self.made

    def get_server(self, server_id: str) -> Any:
        return self.made


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that loads a program of tools/ as a module."""
    monkeypatch.syspath_prepend(str(TOOLS / 'stack'))

    def loaded(path: str) -> types.ModuleType:
        loader = importlib.machinery.SourceFileLoader(pathlib.Path(path).stem, str(TOOLS / path))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        return module
    return loaded


def test_the_parts_of_a_boot_are_those_of_the_server_and_in_their_order(load: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'compute-worker.log').write_text(
        f'INFO images [req-1] guest {SERVER} took fetch 0.24 s\nINFO guest other took fetch 9.00 s\n'
        f'INFO lifecycle [req-1] guest {SERVER} took convert 0.02 s, define 0.01 s, start 0.70 s\n')
    found = load('stack/bootstrap.py').parts_of_a_boot(tmp_path, SERVER)
    assert found == 'fetch 0.24 s, convert 0.02 s, define 0.01 s, start 0.70 s'


@pytest.mark.parametrize(('fault', 'reason'), [
    ({'message': 'It could not start. [guest_start]', 'details': 'libvirt: Read-only file system [guest_start]'},
     'libvirt: Read-only file system [guest_start]'),
    ({'message': 'No valid host was found. [no_valid_host]'}, 'No valid host was found. [no_valid_host]'),
    (None, 'it has no fault')])
def test_a_first_server_in_error_is_explained_as_to_an_administrator(
        load: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, fault: dict[str, str] | None,
        reason: str) -> None:
    module = load('stack/bootstrap.py')
    clouds = {'demo': Cloud(fault and {'message': fault['message']}), 'admin': Cloud(fault)}
    monkeypatch.setattr(module.openstack, 'connect', lambda cloud: clouds[cloud])
    with pytest.raises(module.Failed) as caught:
        module.Bootstrap(tmp_path, None, 1).server()
    assert str(caught.value) == f'the server first is in ERROR: {reason}'


def test_laps_have_names_and_those_that_failed_count() -> None:
    laps = Laps()
    with laps.lap('define'):
        pass
    with pytest.raises(ValueError, match='no'), laps.lap('start'):
        raise ValueError('no')
    assert re.fullmatch(r'define \d+\.\d\d s, start \d+\.\d\d s', str(laps))


@pytest.fixture
def programs(tmp_path: pathlib.Path) -> pathlib.Path:
    """Programs in a home directory whose path needs quoting. Their Python finds the package by PYTHONPATH."""
    folder = tmp_path / 'home/a checkout, 100%/bin'
    folder.mkdir(parents=True)
    looks_itself_up = 'printf "%s\\n" "${0%/*}" /usr "${PYTHONPATH:-/usr/lib}"'
    for name, text in (('compute-api', 'exit 0'), ('python', looks_itself_up)):
        (folder / name).write_text(f'#!/bin/sh\n{text}\n')
        (folder / name).chmod(0o755)
    return folder


def test_a_unit_names_programs_whose_path_needs_quoting(load: Any, programs: pathlib.Path, tmp_path: pathlib.Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    module = load('install_units')
    monkeypatch.setattr(module, 'HOMES', (str(tmp_path / 'home'),))
    options = argparse.Namespace(root='/', programs=str(programs), environment=['A=1 "2" 3%'], profile='all')
    lines = module.Installation(options).drop_in('compute-api').splitlines()
    quoted = str(programs).replace('%', '%%')
    assert f'ExecStart="{quoted}/compute-api"' in lines
    assert f'BindReadOnlyPaths="{quoted}"' in lines
    assert 'Environment="A=1 \\"2\\" 3%%"' in lines


@pytest.mark.skipif(shutil.which('systemd-analyze') is None, reason='systemd is not installed')
def test_systemd_finds_programs_whose_path_needs_quoting(load: Any, programs: pathlib.Path,
                                                         tmp_path: pathlib.Path) -> None:
    options = argparse.Namespace(root='/', programs=str(programs), environment=['A=1 "2" 3%'], profile='all')
    text = load('install_units').Installation(options).drop_in('compute-api')
    (tmp_path / 'test.service').write_text(text)
    told = subprocess.run(['systemd-analyze', 'verify', '--man=no', '--recursive-errors=no',
                           str(tmp_path / 'test.service')], capture_output=True, text=True, check=False)
    assert 'test.service' not in told.stderr and 'compute-api' not in told.stderr


def test_what_programs_need_is_looked_up_with_the_environment_of_the_units(
        load: Any, programs: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONPATH', '/home/of/the/caller')
    options = argparse.Namespace(root='/', programs=str(programs), environment=[], profile='all')
    assert load('install_units').Installation(options).needed() == [str(programs), '/usr', '/usr/lib']
    options.environment = ['PYTHONPATH=/srv/a checkout']
    assert load('install_units').Installation(options).needed() == [str(programs), '/usr', '/srv/a checkout']


def test_a_purge_removes_each_user_that_was_made(load: Any) -> None:
    options = argparse.Namespace(root='/', programs='/nowhere', environment=[], profile='all')
    users = load('install_units').Installation(options).users()
    made = [line.split()[1] for path in (ROOT / 'etc/sysusers.d').iterdir() for line in path.read_text().splitlines()
            if line.startswith('u ')]
    assert sorted(users) == sorted(made) and 'compute-standalone' in users
