"""Carries interfaces over oslo.messaging: clients, servers, and errors that say who did not answer."""

from __future__ import annotations

import functools
import logging
from typing import Any, TypeVar, cast

import oslo_messaging
from oslo_config import cfg

from compute import context as ctx
from compute import exception
from compute.rpc import memory
from compute.rpc.interface import Interface, Method, expose
from compute.rpc.ping import Ping, PingEndpoint

LOG = logging.getLogger(__name__)
I = TypeVar('I', bound=Interface)  # noqa: E741
# A call for which the broker has no queue fails at once: nobody would answer it before it times out.
_KNOWN_CALLEE = oslo_messaging.TransportOptions(at_least_once=True)


class ContextSerializer(oslo_messaging.NoOpSerializer):
    """Sends the request context without its token and makes it current at the other end."""

    def serialize_context(self, context: ctx.RequestContext) -> dict[str, Any]:
        return context.to_wire()

    def deserialize_context(self, context: dict[str, Any]) -> ctx.RequestContext:
        return ctx.RequestContext.from_wire(context)


class Rpc:
    """One process's connection to the broker, from which clients and servers are made."""

    def __init__(self, conf: cfg.ConfigOpts, url: str | None = None) -> None:
        oslo_messaging.set_transport_defaults(control_exchange='compute')
        memory.install()
        self.conf = conf
        self._transport = oslo_messaging.get_rpc_transport(
            conf, url=url, allowed_remote_exmods=[exception.__name__])
        self._clients: dict[tuple[type, str | None], Any] = {}

    def client(self, interface: type[I], server: str | None = None) -> I:
        """Return a proxy of ``interface`` on any daemon of its topic, or on the one that runs at ``server``."""
        key = (interface, server)
        if key not in self._clients:
            self._clients[key] = Proxy(self._transport, interface, server)
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
        self._transport.cleanup()


class Proxy:
    """The client's end of an interface: its methods, sent to one topic or one server."""

    def __init__(self, transport: Any, interface: type[Interface], server: str | None) -> None:
        self._interface, self._server = interface, server
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
            client = self._client.prepare(version=method.since, retry=1)
            return self._guard(method.name, 0, lambda: client.cast(context, method.name, **data))
        timeout = method.timeout
        client = self._client.prepare(version=method.since, timeout=timeout, retry=2, transport_options=_KNOWN_CALLEE,
                                      call_monitor_timeout=60 if timeout > 60 else None)
        return method.decode_result(self._guard(
            method.name, timeout, lambda: client.call(context, method.name, **data)))

    def _guard(self, name: str, timeout: float, send: Any) -> Any:
        interface = self._interface
        callee = f'{interface.TOPIC} on host {self._server}' if self._server else f'any {interface.TOPIC}'
        try:
            return send()
        except oslo_messaging.MessagingTimeout as error:
            raise exception.RpcTimeout(
                f'{callee} did not answer {interface.NAME}.{name} within {timeout:.0f} s (topic {interface.TOPIC}, '
                f'server {self._server or "any"})', hint=f'see whether {interface.TOPIC} runs there') from error
        except oslo_messaging.MessageUndeliverable as error:
            raise exception.Unavailable(f'{interface.NAME}.{name} could not be sent: {callee} has not started yet',
                                        code='callee_unknown') from error
        except (oslo_messaging.MessageDeliveryFailure, oslo_messaging.InvalidTarget, OSError) as error:
            raise exception.Unavailable(
                f'{interface.NAME}.{name} could not be sent to {callee}: the message broker does not answer',
                code='broker_unavailable') from error
        except oslo_messaging.RemoteError as error:
            raise _remote(error, f'{interface.NAME}.{name}', callee) from error


def _remote(error: oslo_messaging.RemoteError, method: str, callee: str) -> exception.ComputeError:
    """Turn an error of a class that may not travel into one that says where it happened."""
    if error.exc_type in ('UnsupportedVersion', 'NoSuchMethod'):
        return exception.Unavailable(f'{callee} is of another version and does not know {method}', code='rpc_version')
    LOG.error('%s failed at %s: %s', method, callee, error)
    return exception.ComputeError(f'{method} failed at {callee}: {error.exc_type}', code='remote_error')
