"""tools/stack/ready.py: every daemon with a health listener must be well, whatever others say of it."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from compute.health import DOWN, Finding, Report
from compute.http_server import HttpServer
from compute.rest.admin import Admin
from tests.ports import free_ports

STACK = pathlib.Path(__file__).resolve().parents[3] / 'tools' / 'stack'


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program as a module."""
    monkeypatch.syspath_prepend(str(STACK))
    spec = importlib.util.spec_from_file_location('ready', STACK / 'ready.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop('report', None)


class Daemon:
    """A health listener."""

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.server = HttpServer(Admin(lambda: Report(findings=self.findings)), '127.0.0.1', 0, 2)
        self.server.start()


@pytest.fixture
def conductor() -> Iterator[Daemon]:
    made = Daemon()
    yield made
    made.server.stop()


def test_conductors_and_agents_are_waited_for(ready: Any, conductor: Daemon, tmp_path: pathlib.Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere, = free_ports(1)
    monkeypatch.setenv('http_proxy', f'http://127.0.0.1:{nowhere}')
    (tmp_path / 'conductor.conf').write_text(f'[health]\nlisten_port = {conductor.server.port}\n')
    (tmp_path / 'manage.conf').write_text('[DEFAULT]\nhost = here\n')
    assert ready.unwell(tmp_path) == []
    conductor.findings = (Finding(probe='process', state=DOWN, reason='it is starting'),)
    assert ready.unwell(tmp_path) == ['conductor: process: it is starting']
    (tmp_path / 'network-agent.conf').write_text(f'[health]\nlisten_port = {nowhere}\n')
    assert len(ready.unwell(tmp_path)) == 2 and 'network-agent' in ready.unwell(tmp_path)[1]
