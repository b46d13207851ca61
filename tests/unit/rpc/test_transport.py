"""What a broker that is down or frozen costs the callers of casts: little, and once a second."""

from __future__ import annotations

import threading
from typing import Any

import kombu.exceptions
import oslo_messaging
import pytest

from compute import concurrency, exception
from compute import context as ctx
from compute.rpc import transport
from compute.rpc.interface import Interface, call, cast
from compute.rpc.transport import Breaker, Proxy
from tests.clock import Clock


class Echo(Interface):
    """For these tests."""

    TOPIC = 'echo'
    NAME = 'echo'

    @call(timeout=30)
    def ask(self, context: Any, *, text: str) -> str:
        raise NotImplementedError

    @cast()
    def tell(self, context: Any, *, text: str) -> None:
        raise NotImplementedError


class Client:
    """Stands for oslo.messaging's client: does what the test says."""

    def __init__(self, act: Any) -> None:
        self.act, self.sent = act, 0

    def prepare(self, **options: Any) -> Client:
        return self

    def cast(self, context: Any, method: str, **arguments: Any) -> None:
        self.sent += 1
        self.act()

    def call(self, context: Any, method: str, **arguments: Any) -> str:
        self.sent += 1
        self.act()
        return 'answer'


def proxy(monkeypatch: pytest.MonkeyPatch, act: Any) -> tuple[Any, Client]:
    client = Client(act)
    monkeypatch.setattr(oslo_messaging, 'get_rpc_client', lambda *args, **options: client)
    return Proxy(None, Echo, None, Breaker(), concurrency.Pool('test', 2)), client


def fails(error: Exception) -> Any:
    def act() -> None:
        raise error
    return act


@pytest.mark.parametrize('error', [
    oslo_messaging.MessageDeliveryFailure('x'), ConnectionRefusedError(111, 'refused'),
    kombu.exceptions.OperationalError('refused')], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize('method', ['tell', 'ask'])
def test_a_broker_that_is_down_is_unavailable(monkeypatch: pytest.MonkeyPatch, error: Exception, method: str) -> None:
    peer, _ = proxy(monkeypatch, fails(error))
    with pytest.raises(exception.Unavailable, match='message broker') as caught:
        getattr(peer, method)(ctx.internal(), text='x')
    assert caught.value.code == 'broker_unavailable'


def test_of_many_casts_one_finds_out(monkeypatch: pytest.MonkeyPatch) -> None:
    peer, client = proxy(monkeypatch, fails(ConnectionRefusedError(111, 'refused')))
    for _ in range(10):
        with pytest.raises(exception.Unavailable):
            peer.tell(ctx.internal(), text='x')
    assert client.sent == 1
    with pytest.raises(exception.Unavailable):
        peer.ask(ctx.internal(), text='x')
    assert client.sent == 2


def test_a_cast_does_not_wait_for_a_frozen_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, 'CAST_PATIENCE', 0.2)
    gate = threading.Event()
    peer, _ = proxy(monkeypatch, lambda: gate.wait(600))
    with pytest.raises(exception.Unavailable, match='message broker'):
        peer.tell(ctx.internal(), text='x')
    assert not gate.is_set()
    gate.set()


def test_an_error_that_is_not_the_brokers_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    peer, client = proxy(monkeypatch, fails(TypeError('not JSON')))
    for _ in range(2):
        with pytest.raises(TypeError):
            peer.tell(ctx.internal(), text='x')
    assert client.sent == 2


def test_breaker_tries_again_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(transport, 'time', clock)
    breaker = Breaker(pause=0.2)
    assert breaker.lets_through() and breaker.lets_through()
    breaker.note(False)
    assert not breaker.lets_through()
    clock.advance(0.2)
    assert breaker.lets_through() and not breaker.lets_through(), 'one finds out'
    breaker.note(True)
    assert breaker.lets_through() and breaker.lets_through()
