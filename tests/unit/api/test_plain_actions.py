"""Actions without parameters accept any value. The table has those of Nova, also those that are not served yet."""

from __future__ import annotations

from typing import Any

import pytest

from compute.api.app import all_resources
from compute.api.history import HISTORY
from compute.rest.op import Op
from compute.rest.versions import Version

VERSIONS = [Version.of(version) for version, _ in HISTORY]
# By name: the version from which on the action has parameters, None where it never has.
PLAIN: dict[str, str | None] = {
    'os-start': None, 'os-stop': None, 'forceDelete': None, 'restore': None, 'pause': None, 'unpause': None,
    'suspend': None, 'resume': None, 'shelve': None, 'shelveOffload': None, 'unrescue': None, 'confirmResize': None,
    'revertResize': None, 'trigger_crash_dump': None, 'injectNetworkInfo': None, 'unlock': None, 'lock': '2.73',
    'migrate': '2.56', 'unshelve': '2.77'}
VALUES: tuple[Any, ...] = (None, {}, {'a': 1}, [], [1], '', 'x', 0, 1.5, True)
SERVED = [op for resource in all_resources() for op in resource.ops if op.method == 'ACTION' and op.path in PLAIN
          and resource.actions in ('/servers/{id}/action', '/os-volumes_boot/{id}/action')]


def test_what_is_served_is_tried() -> None:
    assert {'os-start', 'os-stop', 'forceDelete', 'lock', 'unlock'} <= {op.path for op in SERVED}


@pytest.mark.parametrize('op', SERVED, ids=[op.path for op in SERVED])
def test_any_value_is_accepted(op: Op) -> None:
    until = PLAIN[op.path]
    for version in VERSIONS:
        if version in op.window and (until is None or version < Version.of(until)):
            for value in VALUES:
                if op.body is not None:
                    op.body.read(version, {op.path: value})
