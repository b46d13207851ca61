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
from tests.clock import Clock


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


class Ended:
    """An HTTP server that notes how much time it had to end; ``fails`` while it does."""

    def __init__(self, clock: Clock, fails: bool = False) -> None:
        self.had, self._clock, self._fails = 0.0, clock, fails

    def last_answers(self) -> None:
        pass

    def drain(self, idle: float, until: float) -> bool:
        self.had = until - self._clock.now
        if self._fails:
            raise OSError('no descriptor')
        return True


def test_one_daemon_s_end_leaves_time_to_the_others_and_hinders_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is: the API, then in reverse. The first uses up what it gets."""
    conf: Any = SimpleNamespace(http_idle_grace=3, http_drain=0)
    clock = Clock()
    monkeypatch.setattr(service, 'time', clock)
    running, order = service.Service(conf, []), []
    servers = [Ended(clock), Ended(clock, fails=True), Ended(clock)]

    class Slow:
        def finish(self, until: float) -> None:
            order.append('finish')
            clock.now = max(clock.now, until)

        def stop(self) -> None:
            order.append('stop')
    for name, server in zip(('identity', 'image', 'api'), servers, strict=True):
        served = service.Served(name, Slow())
        served.http, served.prepared = server, True  # type: ignore[assignment]
        running._served.append(served)
    running.stop(6)
    assert order == ['finish', 'stop'] * 3
    identity, image, api = (each.had for each in servers)
    assert api > 0.5 and image > 0.5 and identity > 0.5


class Died(BaseException):
    """What is no Exception, as eventlet's Timeout."""


class Half:
    """A daemon whose start ends in something odd."""

    name = topic = None

    def prepare(self) -> None:
        raise Died('out of time')

    def health(self) -> list[str]:
        return []


def test_a_start_that_dies_ends_the_process_with_the_reason() -> None:
    running = service.Service(SimpleNamespace(), [])
    running._served.append(service.Served('half', Half()))
    running._start_all()
    assert isinstance(running.failure, Died) and running.stopping and not running.serving.is_set()


def test_a_process_is_well_only_when_it_serves() -> None:
    running = service.Service(SimpleNamespace(), [])
    assert running.health() == ['it is starting']
    running.serving.set()
    assert running.health() == []


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
    answer = requests.get(f'http://127.0.0.1:{server.port}/healthcheck', timeout=120)
    assert (answer.status_code, answer.text) == (503, 'DOWN\nprocess: it is starting')
    running.serving.set()
    yield f'http://127.0.0.1:{server.port}'
    server.stop()


def test_the_health_listener_says_what_daemons_say(url: str, sick: Sick) -> None:
    answer = requests.get(f'{url}/healthcheck', timeout=120)
    assert (answer.status_code, answer.text) == (200, 'OK')
    sick.problem = 'the hypervisor is asleep'
    answer = requests.get(f'{url}/healthcheck', timeout=120)
    assert (answer.status_code, answer.text) == (503, 'DOWN\nhypervisor: the hypervisor is asleep')
    assert requests.get(f'{url}/servers', timeout=120).status_code == 404
