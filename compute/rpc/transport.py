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

from compute import concurrency, exception, metrics, tracing
from compute import context as ctx
from compute.rpc import broker, memory
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
        made = ctx.RequestContext.from_wire(context)
        made.trace = tracing.arrived() or made.trace
        return made


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
        broker.install()
        self.conf = conf
        oslo_messaging.TransportURL.parse(conf, url)  # registers [DEFAULT] transport_url
        self._transport = oslo_messaging.get_rpc_transport(
            conf, url=memory.address(url or conf.transport_url), allowed_remote_exmods=[exception.__name__])
        self._clients: dict[tuple[type, str | None], Any] = {}
        self._breaker = Breaker()
        self._casters = concurrency.Pool('casts', _CASTERS, queue=500)
        self._pings: dict[tuple[str, str | None], Proxy] = {}
        self._queues: list[str] = []
        self._unwatch = metrics.source('queues', lambda: broker.depths(self._transport, self._queues), slow=True,
                                       fresh=10.0)

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
        self._queues += [name for name in (topic, f'{topic}.{server}') if name not in self._queues]
        return oslo_messaging.get_rpc_server(self._transport, target, exposed, serializer=ContextSerializer(),
                                             access_policy=oslo_messaging.DefaultRPCAccessPolicy)

    def ping(self, topic: str, server: str | None = None, timeout: float = 5.0) -> float:
        """Ask a server (None: any of the topic) whether it serves, through the broker; return the seconds it took.

        :raises Unavailable: the broker does not answer. :raises RpcTimeout: nobody answers.
        """
        key = (topic, server)
        if key not in self._pings:
            peer = type('Peer', (Ping,), {'TOPIC': topic})
            self._pings[key] = Proxy(self._transport, peer, server, self._breaker, self._casters)
        proxy = self._pings[key]
        begin = time.perf_counter()
        proxy.ask_version(ctx.internal(), timeout)
        return time.perf_counter() - begin

    def close(self) -> None:
        """Close the connections."""
        self._unwatch()
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
        return self.ask_version(context, 10).get(self._interface.NAME)

    def ask_version(self, context: ctx.RequestContext, timeout: float) -> dict[str, str]:
        """Ask the peer for the versions of all its interfaces."""
        client = self._client.prepare(namespace=Ping.NAME, version=Ping.VERSION, timeout=timeout, retry=1)
        return self._guard('ping', timeout, tracing.carried(context, lambda: client.call(context, 'ping')))

    def _send(self, method: Method, context: ctx.RequestContext, /, **arguments: Any) -> Any:
        data = method.encode_arguments(arguments)
        if method.kind == 'cast':
            if not self._breaker.lets_through():
                raise self._refused(method.name)
            # One retry: a connection from before a restart of the broker fails once and is made anew.
            client = self._client.prepare(version=method.since, retry=1)
            try:
                return self._guard(method.name, 0, lambda: self._bounded(
                    tracing.carried(context, lambda: client.cast(context, method.name, **data))))
            except exception.Unavailable:
                self._note_unsent(method.name)
                raise
        timeout = method.timeout
        client = self._client.prepare(version=method.since, timeout=timeout, retry=2, transport_options=_KNOWN_CALLEE,
                                      call_monitor_timeout=60 if timeout > 60 else None)
        return method.decode_result(self._guard(
            method.name, timeout, tracing.carried(context, lambda: client.call(context, method.name, **data))))

    def _bounded(self, send: Callable[[], Any]) -> None:
        """Send in another thread and wait for it a while. :raises OSError: it is not sent yet, and may never be."""
        try:
            error = self._casters.submit(_outcome, send).result(CAST_PATIENCE)
        except concurrency.Pool.Full as full:
            raise OSError(str(full)) from full
        if error is not None:
            raise error

    def _guard(self, name: str, timeout: float, send: Any) -> Any:
        """Send, measure, and turn what goes wrong into an error of ours."""
        label = f'{self._interface.TOPIC}.{self._interface.NAME}'
        begin = time.perf_counter()
        try:
            result = send()
            metrics.observe('compute_rpc_client_seconds', time.perf_counter() - begin, label, name)
            self._breaker.note(True)
            return result
        except (oslo_messaging.MessagingTimeout, oslo_messaging.MessageUndeliverable, oslo_messaging.RemoteError,
                *_NO_BROKER) as error:
            reason, meaning = self._meaning(error, name, timeout)
            metrics.count('compute_rpc_client_errors_total', label, name, reason)
            raise meaning from error

    def _meaning(self, error: Exception, name: str, timeout: float) -> tuple[str, exception.ComputeError]:
        """Return the reason as a label, and the error that the caller gets."""
        interface, callee = self._interface, self._callee()
        if isinstance(error, oslo_messaging.MessagingTimeout):
            return 'timeout', exception.RpcTimeout(
                f'{callee} did not answer {interface.NAME}.{name} within {timeout:.0f} s (topic {interface.TOPIC}, '
                f'server {self._server or "any"})', hint=f'see whether {interface.TOPIC} runs there')
        if isinstance(error, oslo_messaging.MessageUndeliverable):
            return 'callee', exception.Unavailable(
                f'{interface.NAME}.{name} could not be sent: {callee} has not started yet', code='callee_unknown')
        if isinstance(error, oslo_messaging.RemoteError):
            found = _remote(error, f'{interface.NAME}.{name}', callee)
            return 'version' if found.code == 'rpc_version' else 'remote', found
        self._breaker.note(False)
        return 'broker', self._unsent(name)

    def _refused(self, name: str) -> exception.Unavailable:
        self._note_unsent(name)
        return self._unsent(name)

    def _note_unsent(self, name: str) -> None:
        metrics.count('compute_rpc_casts_unsent_total', f'{self._interface.TOPIC}.{self._interface.NAME}', name)

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
