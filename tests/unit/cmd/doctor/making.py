"""A machine as a test describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from compute import conf as options
from compute.cmd.doctor.machine import Done, Machine


class FakeMachine(Machine):
    """Has the files, users and programs that it is given, and no others.

    :param files: text by path; a folder is a path with an empty text.
    :param programs: what a command line prints, by its words; a status instead of a text is a failure.
    :param owners: user, group and mode by path.
    :param closed: paths that QEMU's user may not enter.
    """

    def __init__(self, *, files: Mapping[str, str] | None = None,
                 programs: Mapping[str, str | int | Done] | None = None,
                 owners: Mapping[str, tuple[str, str, int]] | None = None, users: tuple[str, ...] = ('libvirt-qemu',),
                 closed: tuple[str, ...] = (), root: bool = True, kvm: str = '', free: int | None = 50 * 1024 ** 3,
                 names: Mapping[str, tuple[list[str], float]] | None = None) -> None:
        self.files, self.programs, self.owners = dict(files or {}), dict(programs or {}), dict(owners or {})
        self.users, self.closed, self.root, self.kvm, self.free = users, closed, root, kvm, free
        self.names = dict(names or {})
        self.ran: list[str] = []

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return path in self.files or any(name.startswith(path.rstrip('/') + '/') for name in self.files)

    def owner(self, path: str) -> tuple[str, str, int]:
        return self.owners[path]

    def free_bytes(self, path: str) -> int | None:
        return self.free

    def run(self, *command: str, seconds: float = 30.0) -> Done:
        self.ran.append(' '.join(command))
        said = self.programs.get(' '.join(command), 127)
        if isinstance(said, Done):
            return said
        return Done(said, '') if isinstance(said, int) else Done(0, said)

    def has_user(self, name: str) -> bool:
        return name in self.users

    def may(self, user: str, how: str, path: str) -> bool | None:
        return path not in self.closed if self.root else None

    def kvm_error(self) -> str:
        return self.kvm

    def addresses(self, name: str) -> tuple[list[str], float]:
        return self.names.get(name, ([], 0.0))


def make_conf(**values: Any) -> cfg.ConfigOpts:
    """Return a configuration; ``group__option`` names an option of a group."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project='compute', default_config_files=[], default_config_dirs=[])
    for name, value in values.items():
        group, _, option = name.rpartition('__')
        conf.set_override(option, value, group or None)
    return conf
