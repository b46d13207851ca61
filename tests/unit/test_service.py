"""A process of daemons: how it says how it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from compute import service
from compute.exception import Unavailable
from compute.health import DOWN, Health, Probe
from compute.http_server import HttpServer
from compute.rest.admin import Admin


class Sick:
    """A daemon with something to complain about."""

    def __init__(self) -> None:
        self.problem = ''
        self.watch = Health([Probe('hypervisor', self._look, failing=DOWN, quick=True, public='it cannot work')])

    def _look(self) -> None:
        if self.problem:
            raise Unavailable(self.problem)

    def health(self) -> list[str]:
        return self.watch.public_problems()


@pytest.fixture
def sick() -> Sick:
    return Sick()


@pytest.fixture
def url(sick: Sick) -> Any:
    conf: Any = SimpleNamespace()
    running = service.Service(conf, [])
    served = service.Served('sick', sick)
    served.prepared = True
    running._served.append(served)
    server = HttpServer(Admin(running.report), '127.0.0.1', 0, 2)
    server.start()
    answer = requests.get(f'http://127.0.0.1:{server.port}/healthcheck', timeout=10)
    assert (answer.status_code, answer.text) == (503, 'DOWN\nprocess: it is starting')
    running.serving.set()
    yield f'http://127.0.0.1:{server.port}'
    server.stop()


def test_the_health_listener_says_what_daemons_say(url: str, sick: Sick) -> None:
    answer = requests.get(f'{url}/healthcheck', timeout=10)
    assert (answer.status_code, answer.text) == (200, 'OK')
    sick.problem = 'the hypervisor is asleep'
    answer = requests.get(f'{url}/healthcheck', timeout=10)
    assert (answer.status_code, answer.text) == (503, 'DOWN\nhypervisor: the hypervisor is asleep')
    assert requests.get(f'{url}/servers', timeout=10).status_code == 404
