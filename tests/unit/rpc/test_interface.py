"""Both ends of every interface come from one class; what does not is not reachable."""

from __future__ import annotations

import importlib
import inspect
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg

from compute import conf as options
from compute import context as ctx
from compute import exception
from compute.objects.nic import FixedIp
from compute.rpc import conductor, network_agent, scheduler, worker
from compute.rpc.interface import Interface, call, cast
from compute.rpc.transport import Rpc


class Echo(Interface):
    """For these tests."""

    TOPIC = 'echo'
    NAME = 'echo'
    VERSION = '1.1'

    @call(timeout=120)
    def echo(self, context: Any, *, ip: FixedIp, note: str = '') -> FixedIp:
        """Return the address."""
        raise NotImplementedError

    @call(timeout=0.3)
    def slow(self, context: Any) -> None:
        """Never answer in time."""
        raise NotImplementedError

    @call(timeout=120)
    def fail(self, context: Any) -> None:
        """Raise."""
        raise NotImplementedError

    @cast(since='1.1')
    def poke(self, context: Any, *, word: str) -> None:
        """Note a word."""
        raise NotImplementedError


class EchoEndpoint(Echo):
    def __init__(self) -> None:
        self.poked = threading.Event()
        self.release = threading.Event()
        self.seen: list[Any] = []

    def echo(self, context: Any, *, ip: FixedIp, note: str = '') -> FixedIp:
        self.seen.append(context)
        return FixedIp(address=ip.address, subnet_id=note)

    def slow(self, context: Any) -> None:
        self.release.wait(240)

    def fail(self, context: Any) -> None:
        raise exception.NoValidHost('none', details={'counts': {'ram': 1}}, hint='buy more')

    def poke(self, context: Any, *, word: str) -> None:
        self.seen.append(word)
        self.poked.set()

    def hidden(self, context: Any) -> None:
        raise AssertionError('reached')


@pytest.fixture(scope='module')
def rpc() -> Iterator[Rpc]:
    conf = options.register(cfg.CONF)
    conf([], project='compute', default_config_files=[])
    rpc = Rpc(conf, 'kombu+memory://')
    yield rpc
    rpc.close()


@pytest.fixture(scope='module')
def endpoint(rpc: Rpc) -> Iterator[EchoEndpoint]:
    endpoint = EchoEndpoint()
    server = rpc.server('echo', 'here', [endpoint])
    server.start()
    yield endpoint
    endpoint.release.set()
    server.stop()
    server.wait()


def test_values_travel_and_so_does_who_asks(rpc: Rpc, endpoint: EchoEndpoint) -> None:
    context = ctx.RequestContext(user_id='u', project_id='p', auth_token='secret', request_id='req-1')
    answer = rpc.client(Echo).echo(context, ip=FixedIp(address='10.0.0.1', subnet_id='a'), note='b')
    assert answer == FixedIp(address='10.0.0.1', subnet_id='b')
    seen = endpoint.seen[-1]
    assert (seen.user_id, seen.project_id, seen.request_id, seen.auth_token) == ('u', 'p', 'req-1', None)


def test_cast_to_one_server(rpc: Rpc, endpoint: EchoEndpoint) -> None:
    rpc.client(Echo, 'here').poke(ctx.internal(), word='hello')
    assert endpoint.poked.wait(120) and endpoint.seen[-1] == 'hello'


def test_a_timeout_names_topic_method_and_callee(rpc: Rpc, endpoint: EchoEndpoint) -> None:
    with pytest.raises(exception.RpcTimeout) as caught:
        rpc.client(Echo, 'here').slow(ctx.internal())
    assert all(word in caught.value.message for word in ('echo.slow', 'topic echo', 'here'))


def test_our_errors_come_back_as_they_were(rpc: Rpc, endpoint: EchoEndpoint) -> None:
    with pytest.raises(exception.NoValidHost) as caught:
        rpc.client(Echo).fail(ctx.internal())
    error = caught.value
    assert (error.message, error.hint, error.details) == ('none', 'buy more', {'counts': {'ram': 1}})


def test_versions_can_be_asked_for(rpc: Rpc, endpoint: EchoEndpoint) -> None:
    assert rpc.client(Echo).peer_version(ctx.internal()) == '1.1'  # type: ignore[attr-defined]


def test_only_methods_of_the_interface_are_reachable(rpc: Rpc, endpoint: EchoEndpoint) -> None:
    class Sly(Echo):
        NAME = 'echo'

        @call(timeout=120)
        def hidden(self, context: Any) -> None:
            """Not in the contract."""
    with pytest.raises(exception.Unavailable) as caught:
        rpc.client(Sly).hidden(ctx.internal())
    assert caught.value.code == 'rpc_version'


CONTRACTS = [cls for module in (conductor, network_agent, scheduler, worker)
             for _, cls in inspect.getmembers(module, inspect.isclass)
             if issubclass(cls, Interface) and cls is not Interface]
ROOMS = ('compute.conductor.operations', 'compute.conductor.reports',
         'compute.conductor.network_refresh',
         'compute.scheduler.select', 'compute.worker.endpoints', 'compute.worker.console', 'compute.worker.events',
         'compute.worker.inspection',
         'compute.builtin.network.reports', 'compute.builtin.network.agent.agent')


@pytest.mark.parametrize('contract', CONTRACTS)
def test_every_interface_has_one_endpoint_with_the_same_signatures(contract: type[Interface]) -> None:
    found = [cls for room in ROOMS for _, cls in inspect.getmembers(importlib.import_module(room), inspect.isclass)
             if issubclass(cls, contract) and cls is not contract and cls.__module__ == room]
    assert len(found) == 1, f'{contract.__name__}: {found}'
    for name in contract.methods():
        declared = inspect.signature(getattr(contract, name))
        served = inspect.signature(getattr(found[0], name))
        assert list(declared.parameters) == list(served.parameters), name
