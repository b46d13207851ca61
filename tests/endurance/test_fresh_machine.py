"""tools/stack.sh on machines with nothing installed, of each release that the README names: the time of each step."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.endurance.conftest import Figures
from tests.endurance.fresh_machine import CODE, FreshMachine, missing

RELEASES = ('bookworm', 'trixie')
# Folders that the users of units cannot read, or whose name needs quoting.
PLACES = ('/root/compute', '/tmp/compute', '/opt/a checkout', '/home/closed/compute')
pytestmark = [pytest.mark.skipif(bool(missing()), reason=f'needs {missing()}'), pytest.mark.timeout(3600)]


@pytest.fixture(params=RELEASES)
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreshMachine]:
    machine = FreshMachine(tmp_path_factory.mktemp('fresh') / 'machine', request.param)
    try:
        machine.make()
        machine.start()
        yield machine
    finally:
        machine.remove()


def stack(machine: FreshMachine, place: str, *words: str) -> str:
    return machine.run(f'{place}/tools/stack.sh', *words, seconds=1800, environment=machine.ENVIRONMENT)


def note_steps(figures: Figures, what: str, told: str) -> None:
    for name, seconds, said in re.findall(r'^  (\S[\w ]+?) +([\d.]+) s  (.*)$', told, re.MULTILINE):
        figures.note(f'{what}: {name}', f'{seconds} s, {said}')


def test_a_first_server_boots_and_what_was_installed_goes_again(machine: FreshMachine, figures: Figures) -> None:
    before = machine.run('dpkg-query', '-W', '-f', '${db:Status-Status} ${Package}\n')
    began = time.monotonic()
    told = stack(machine, CODE)
    figures.note(f'{machine.release}: stack.sh', f'{time.monotonic() - began:.0f} s')
    note_steps(figures, machine.release, told)
    assert 'first is ACTIVE' in told and 'Linux' in told, told
    assert re.search(r'first is ACTIVE .*\(fetch .* s, convert .* s, define .* s, start .* s\)', told), told
    told = stack(machine, CODE, 'down', '--packages')
    assert 'FAILED' not in told, told
    after = machine.run('dpkg-query', '-W', '-f', '${db:Status-Status} ${Package}\n')
    assert {line for line in after.splitlines() if line.startswith('installed')} == {
        line for line in before.splitlines() if line.startswith('installed')}


@pytest.mark.parametrize('mode', ['--fake', '--cluster'])
def test_a_checkout_may_be_anywhere(machine: FreshMachine, mode: str, figures: Figures) -> None:
    machine.run('useradd', '--create-home', 'closed')
    machine.run('chmod', '0700', '/home/closed')
    for place in PLACES:
        machine.run('cp', '-a', CODE, place)
        began = time.monotonic()
        told = stack(machine, place, mode)
        note_steps(figures, f'{machine.release}: {mode} from {place}', told)
        assert 'first is ACTIVE' in told, told
        assert 'already: first is ACTIVE' in stack(machine, place)
        stack(machine, place, 'status')
        assert 'FAILED' not in stack(machine, place, 'down')
        assert 'no such' not in machine.run('ls', '/opt', '/etc')
        figures.note(f'{machine.release}: {mode} from {place}', f'{time.monotonic() - began:.0f} s')
