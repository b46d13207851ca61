"""A bus that keeps what is sent instead of sending it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from compute.exception import ComputeError
from compute.objects.value import decode, encode


@dataclass(frozen=True)
class Sent:
    """One message. Arguments made the way over JSON; ``context`` is what travels of the sender's."""

    interface: str
    server: str | None
    method: str
    arguments: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict, compare=False)


class RecordedRpc:
    """Stands for ``compute.rpc.transport.Rpc``. ``answers`` maps method names to what a call returns, to an error that
    it raises, or to a function of its arguments; ``refuse`` makes every message raise.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.answers: dict[str, Any] = {}
        self._error: ComputeError | None = None

    def refuse(self, error: ComputeError | None) -> None:
        """Let every message raise this, or none."""
        self._error = error

    def client(self, interface: Any, server: str | None = None) -> Any:
        """Return a proxy that has the interface's methods and no others."""
        return _Proxy(self, interface, server)

    def of(self, method: str) -> list[Sent]:
        """Return the messages of one method."""
        return [sent for sent in self.sent if sent.method == method]

    def begun(self, kind: str) -> list[Sent]:
        """Return the messages that begin operations of one kind: at a host, its name is ``server``; at a conductor."""
        return [sent for sent in self.of('begin')
                if sent.interface == 'operations' and sent.arguments['kind'] == kind]

    def take(self, interface: Any, server: str | None, method: Any, arguments: dict[str, Any], context: Any) -> Any:
        """Keep a message and answer it."""
        if self._error is not None:
            raise self._error
        travelled = method.decode_arguments(method.encode_arguments(arguments))
        wire = context.to_wire() if hasattr(context, 'to_wire') else {}
        self.sent.append(Sent(interface.NAME, server, method.name, travelled, wire))
        answer = self.answers.get(method.name)
        if isinstance(answer, Exception):
            raise answer
        return decode(method.hints.get('return', Any), encode(answer(**travelled) if callable(answer) else answer))


class _Proxy:
    def __init__(self, rpc: RecordedRpc, interface: Any, server: str | None) -> None:
        for method in interface.methods().values():
            setattr(self, method.name, _sender(rpc, interface, server, method))


def _sender(rpc: RecordedRpc, interface: Any, server: str | None, method: Any) -> Callable[..., Any]:
    return lambda context, **arguments: rpc.take(interface, server, method, arguments, context)
