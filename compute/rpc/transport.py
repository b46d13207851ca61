"""Carries interfaces over oslo.messaging: clients, servers, and errors that say who did not answer."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import amqp
import kombu.exceptions
import oslo_messaging
from oslo_config import cfg

from compute import concurrency, exception
from compute import context as ctx
from compute.rpc import memory
from compute.rpc.interface import Interface, Method, expose
from compute.rpc.ping import Ping, PingEndpoint

LOG = logging.getLogger(__name__)
I = TypeVar('I', bound=Interface)  # noqa: E741
# A call for which the broker has no queue fails at once: nobody would answer it before it times out.
_KNOWN_CALLEE = oslo_messaging.TransportOptions(at_least_once=True)
# oslo.messaging wraps what goes wrong on a connection that it had, but not what goes wrong when it makes a new one.
_NO_BROKER = (oslo_messaging.MessageDeliveryFailure, oslo_messaging.InvalidTarget, OSError, amqp.AMQPError,
              kombu.exceptions.KombuError)


class ContextSerializer(oslo_messaging.NoOpSerializer):
    """Sends the request context without its token and makes it current at the other end."""

    def serialize_context(self, context: ctx.RequestContext) -> dict[str, Any]:
        return context.to_wire()

    def deserialize_context(self, context: dict[str, Any]) -> ctx.RequestContext:
        return ctx.RequestContext.from_wire(context)


# What a cast may hold up its caller at most. A broker that is frozen, or behind a dead link, is found out much later.
CAST_PATIENCE = 2.5
_CASTERS = 16


class Breaker:
    """Remembers that the broker does not answer: of many casts one a second finds out, the rest fail at once.

    Each attempt costs a second or more; a request that makes ten servers shall not wait for ten of them.
    """

    def __init__(self, pause: float = 1.0) -> None:
        self._pause, self._next = pause, 0.0
        self._broken = False
        self._lock = threading.Lock()

    def lets_through(self) -> bool:
        """Tell whether this caller shall try."""
        with self._lock:
            if self._broken and time.monotonic() < self._next:
                return False
            self._next = time.monotonic() + self._pause
            return True

    def note(self, works: bool) -> None:
        """Take in how an attempt went."""
        with self._lock:
            self._broken = not works
            self._next = time.monotonic() + self._pause


class Rpc:
    """One process's connection to the broker, from which clients and servers are made."""

    def __init__(self, conf: cfg.ConfigOpts, url: str | None = None) -> None:
        oslo_messaging.set_transport_defaults(control_exchange='compute')
        memory.install()
        self.conf = conf
        self._transport = oslo_messaging.get_rpc_transport(
            conf, url=url, allowed_remote_exmods=[exception.__name__])
        self._clients: dict[tuple[type, str | None], Any] = {}
        self._breaker = Breaker()
        self._casters = concurrency.Pool('casts', _CASTERS, queue=500)

    def client(self, interface: type[I], server: str | None = None) -> I:
        """Return a proxy of ``interface`` on any daemon of its topic, or on the one that runs at ``server``."""
        key = (interface, server)
        if key not in self._clients:
            self._clients[key] = Proxy(self._transport, interface, server, self._breaker, self._casters)
        return cast(I, self._clients[key])

    def server(self, topic: str, server: str, endpoints: list[Interface]) -> Any:
        """Return a server (not yet started) that answers for ``endpoints`` on the topic's queue and on its own."""
        for endpoint in endpoints:
            if endpoint.TOPIC != topic:
                raise ValueError(f'{type(endpoint).__name__} belongs to topic {endpoint.TOPIC}, not {topic}')
        target = oslo_messaging.Target(topic=topic, server=server)
        exposed = [expose(endpoint) for endpoint in endpoints]
        exposed.append(expose(PingEndpoint(endpoints)))
        return oslo_messaging.get_rpc_server(self._transport, target, exposed, serializer=ContextSerializer(),
                                             access_policy=oslo_messaging.DefaultRPCAccessPolicy)

    def close(self) -> None:
        """Close the connections."""
        self._casters.shutdown()
        self._transport.cleanup()


class Proxy:
    """The client's end of an interface: its methods, sent to one topic or one server."""

    def __init__(self, transport: Any, interface: type[Interface], server: str | None, breaker: Breaker,
                 casters: concurrency.Pool) -> None:
        self._interface, self._server, self._breaker, self._casters = interface, server, breaker, casters
        target = oslo_messaging.Target(topic=interface.TOPIC, server=server, namespace=interface.NAME,
                                       version=interface.VERSION)
        self._client = oslo_messaging.get_rpc_client(transport, target, serializer=ContextSerializer())
        for method in interface.methods().values():
            setattr(self, method.name, functools.partial(self._send, method))

    def peer_version(self, context: ctx.RequestContext) -> str | None:
        """Ask the peer for its version of this interface; None when it does not have it."""
        client = self._client.prepare(namespace=Ping.NAME, version=Ping.VERSION, timeout=10)
        versions = self._guard('ping', 10, lambda: client.call(context, 'ping'))
        return versions.get(self._interface.NAME)

    def _send(self, method: Method, context: ctx.RequestContext, /, **arguments: Any) -> Any:
        data = method.encode_arguments(arguments)
        if method.kind == 'cast':
            if not self._breaker.lets_through():
                raise self._unsent(method.name)
            # One retry: a connection from before a restart of the broker fails once and is made anew.
            client = self._client.prepare(version=method.since, retry=1)
            return self._guard(method.name, 0, lambda: self._bounded(lambda: client.cast(context, method.name, **data)))
        timeout = method.timeout
        client = self._client.prepare(version=method.since, timeout=timeout, retry=2, transport_options=_KNOWN_CALLEE,
                                      call_monitor_timeout=60 if timeout > 60 else None)
        return method.decode_result(self._guard(
            method.name, timeout, lambda: client.call(context, method.name, **data)))

    def _bounded(self, send: Callable[[], Any]) -> None:
        """Send in another thread and wait for it a while. :raises OSError: it is not sent yet, and may never be."""
        try:
            error = self._casters.submit(_outcome, send).result(CAST_PATIENCE)
        except concurrency.Pool.Full as full:
            raise OSError(str(full)) from full
        if error is not None:
            raise error

    def _guard(self, name: str, timeout: float, send: Any) -> Any:
        interface = self._interface
        callee = self._callee()
        try:
            result = send()
            self._breaker.note(True)
            return result
        except oslo_messaging.MessagingTimeout as error:
            raise exception.RpcTimeout(
                f'{callee} did not answer {interface.NAME}.{name} within {timeout:.0f} s (topic {interface.TOPIC}, '
                f'server {self._server or "any"})', hint=f'see whether {interface.TOPIC} runs there') from error
        except oslo_messaging.MessageUndeliverable as error:
            raise exception.Unavailable(f'{interface.NAME}.{name} could not be sent: {callee} has not started yet',
                                        code='callee_unknown') from error
        except _NO_BROKER as error:
            self._breaker.note(False)
            raise self._unsent(name) from error
        except oslo_messaging.RemoteError as error:
            raise _remote(error, f'{interface.NAME}.{name}', callee) from error

    def _callee(self) -> str:
        topic = self._interface.TOPIC
        return f'{topic} on host {self._server}' if self._server else f'any {topic}'

    def _unsent(self, name: str) -> exception.Unavailable:
        return exception.Unavailable(
            f'{self._interface.NAME}.{name} could not be sent to {self._callee()}: the message broker does not answer',
            code='broker_unavailable')


def _outcome(send: Callable[[], Any]) -> Exception | None:
    try:
        send()
    except Exception as error:
        return error
    return None


def _remote(error: oslo_messaging.RemoteError, method: str, callee: str) -> exception.ComputeError:
    """Turn an error of a class that may not travel into one that says where it happened."""
    if error.exc_type in ('UnsupportedVersion', 'NoSuchMethod'):
        return exception.Unavailable(f'{callee} is of another version and does not know {method}', code='rpc_version')
    LOG.error('%s failed at %s: %s', method, callee, error)
    return exception.ComputeError(f'{method} failed at {callee}: {error.exc_type}', code='remote_error')
