"""Control groups of containers that tests start, on a made-up hierarchy."""

from __future__ import annotations

import os
import pathlib
import subprocess

from tests.real.control_groups import ControlGroups

OWN = '3:cpuset:/\n2:memory:/session/7\n1:name=systemd:/\n0::/\n'
HIERARCHIES = {'cpuset': '', 'memory': 'session/7', 'systemd': '', 'unified': ''}


def make_groups(folder: pathlib.Path) -> ControlGroups:
    for hierarchy, own in HIERARCHIES.items():
        (folder / hierarchy / own).mkdir(parents=True)
    (folder / 'own').write_text(OWN)
    return ControlGroups('test', folder, str(folder / 'own'))


def test_a_command_runs_in_a_group_of_its_own_in_each_hierarchy(tmp_path: pathlib.Path) -> None:
    groups = make_groups(tmp_path)
    done = subprocess.run(groups.command('sh', '-c', 'echo $$ "$1"', 'sh', 'a b'), capture_output=True, text=True,
                          check=True)
    pid, _, said = done.stdout.strip().partition(' ')
    assert said == 'a b'
    for hierarchy, own in HIERARCHIES.items():
        assert (tmp_path / hierarchy / own / 'test/cgroup.procs').read_text().strip() == pid


def test_only_controllers_of_version_1_are_opened(tmp_path: pathlib.Path) -> None:
    assert make_groups(tmp_path).writable()[-2:] == ['/sys/fs/cgroup/cpuset', '/sys/fs/cgroup/memory']


def test_what_was_made_in_them_goes_with_them(tmp_path: pathlib.Path) -> None:
    groups = make_groups(tmp_path)
    groups.command('true')
    (tmp_path / 'memory/session/7/test/machine.slice/guest').mkdir(parents=True)
    groups.remove()
    assert sorted(os.listdir(tmp_path / 'memory/session/7') + os.listdir(tmp_path / 'unified')) == []
