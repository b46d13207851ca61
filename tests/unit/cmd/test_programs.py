"""What the programs say of themselves, and which configuration the tools read."""

from __future__ import annotations

import configparser
import os
import pathlib
import subprocess
import sys

import pytest

from compute.cmd.programs import PROGRAMS, Program

ROOT = pathlib.Path(__file__).resolve().parents[3]


def run(program: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this checkout."""
    module = program.removeprefix('compute-').replace('-', '_')
    code = f'import sys; sys.argv[0] = {program!r}; from compute.cmd.{module} import main; sys.exit(main())'
    kept = {name: value for name, value in os.environ.items() if name != 'COMPUTE_CONFIG'}
    return subprocess.run([sys.executable, '-c', code, *words], cwd=ROOT, capture_output=True, text=True, timeout=120,
                          check=False, env={**kept, **environment})


def test_every_program_is_described() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    scripts = setup['options.entry_points']['console_scripts'].strip().splitlines()
    assert {line.split(' = ')[0] for line in scripts} == {each.name for each in PROGRAMS}
    for each in PROGRAMS:
        assert each.does.endswith('.') and len(each.examples) == 2, each.name


@pytest.mark.parametrize('about', PROGRAMS, ids=lambda about: about.name)
def test_help_says_what_it_does_and_nothing_else(about: Program) -> None:
    done = run(about.name, '--help', COMPUTE_CONCURRENCY='eventlet', COLUMNS='4000')
    assert (done.returncode, done.stderr) == (0, '')
    text = ' '.join(done.stdout.split())
    assert about.does in text and about.epilog in text


@pytest.mark.parametrize('words', [('compute-status',), ('compute-status', 'upgrade', 'check'),
                                   ('compute-manage', 'db', 'version'), ('compute-manage', 'operations')])
def test_without_a_configuration_a_tool_names_what_it_misses(words: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    """It would find the stack of somebody else at the defaults."""
    empty = tmp_path / 'empty.conf'
    empty.write_text('')
    done = run(*words, COMPUTE_CONFIG=str(empty))
    assert done.returncode in (1, 2) and done.stdout == ''
    assert '[database] connection is not set' in done.stderr and 'COMPUTE_CONFIG' in done.stderr
    assert str(empty) in done.stderr


def test_the_environment_names_the_configuration(tmp_path: pathlib.Path) -> None:
    stores, more = tmp_path / 'stores.conf', tmp_path / 'more.conf'
    stores.write_text('[database]\n' + ''.join(
        f'{name}connection = sqlite:///{tmp_path}/x.sqlite\n' for name in ('', 'identity_', 'image_', 'network_')))
    more.write_text(f'[database]\nconnection = sqlite:///{tmp_path}/compute.sqlite\n')
    done = run('compute-manage', 'db', 'sync', '--store', 'compute', COMPUTE_CONFIG=f'{stores}:{more}')
    assert (done.returncode, done.stderr) == (0, '')
    assert (tmp_path / 'compute.sqlite').exists() and not (tmp_path / 'x.sqlite').exists()
    given = run('compute-manage', '--config-file', str(more), 'db', 'version', '--store', 'identity',
                COMPUTE_CONFIG=str(stores))
    assert 'identity_connection is not set' in given.stderr, 'a file that is given counts alone'
