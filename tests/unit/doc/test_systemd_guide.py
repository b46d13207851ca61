"""doc/systemd.rst: the commands of its guide are sound shell and name options, stores and units that there are."""

from __future__ import annotations

import configparser
import pathlib
import re
import subprocess

import pytest
from oslo_config import cfg

from compute import conf as options
from compute import service
from compute.cmd.stores import NAMES
from tests.unit.doc.systemd_guide import ROOT, commands, files

OF_LIBRARIES = {'DEFAULT': {'transport_url', 'use_journal'}}
UNITS = {path.stem for path in (ROOT / 'etc/systemd').glob('*.service')} - {'compute-standalone'}


def test_the_commands_are_sound_shell() -> None:
    subprocess.run(['bash', '-n'], input=commands(), text=True, check=True)


def test_every_daemon_has_its_file_and_hosts_no_database() -> None:
    assert set(files()) == {'/etc/compute/compute.conf', *(f'/etc/compute/{name}.conf' for name in UNITS)}
    assert {f'compute-{name.replace("_", "-")}' for name in service.DAEMONS} == UNITS
    for name in ('worker', 'network-agent'):
        assert 'mysql' not in files()[f'/etc/compute/compute-{name}.conf']
    assert 'mysql' not in files()['/etc/compute/compute.conf']


@pytest.mark.parametrize('name', sorted(files()))
def test_every_option_exists_and_its_value_is_valid(name: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'test.conf'
    path.write_text(files()[name])
    conf = options.register(cfg.ConfigOpts())
    conf(['--config-file', str(path)], project='compute')
    parser = configparser.RawConfigParser(default_section='none', strict=True)
    parser.read(path)
    for section in parser.sections():
        for option in parser.options(section):
            if option not in OF_LIBRARIES.get(section, ()):
                group = conf if section == 'DEFAULT' else conf[section]
                assert option in group, f'[{section}] {option}'
                getattr(group, option)


def test_every_store_is_made_and_every_unit_looked_at() -> None:
    assert set(re.findall(r'db sync --store (\w+)', commands())) == set(NAMES)
    looked_at = re.search(r'systemctl is-active compute-\{([a-z,-]+)\}', commands())
    assert looked_at is not None and {f'compute-{name}' for name in looked_at[1].split(',')} == UNITS
