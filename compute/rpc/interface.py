"""RPC described once: an ``Interface`` class from which both ends are made.

An interface names its topic and lists its methods, each marked ``@call`` (the caller waits for the answer) or
``@cast`` (it does not). The daemon's endpoint subclasses it; ``Rpc.client`` makes a proxy with the same methods. Only
methods of the interface can be called from outside. Arguments and results are values (``objects.value``), encoded by
their type hints, so that peers one version apart understand each other: fields are added with defaults, methods
with ``since=`` and the interface's minor version raised.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from compute import metrics, tracing
from compute.exception import ComputeError
from compute.objects.value import decode, encode

F = TypeVar('F', bound=Callable[..., Any])
DEFAULT_TIMEOUT = 60.0


@dataclass(frozen=True)
class Method:
    """How one method travels. ``timeout`` in seconds; ``since`` the interface version that brought it."""

    name: str
    kind: str
    since: str
    timeout: float
    hints: dict[str, Any]

    def encode_arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return keyword arguments as JSON types."""
        return {name: encode(value) for name, value in arguments.items()}

    def decode_arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Rebuild keyword arguments, ignoring those that a newer peer added."""
        return {name: decode(self.hints[name], value) for name, value in arguments.items() if name in self.hints}

    def decode_result(self, data: Any) -> Any:
        """Rebuild the answer."""
        return decode(self.hints.get('return', Any), data)


class Interface:
    """Base of every contract. ``NAME`` is unique within ``TOPIC``; a peer must have the same major version."""

    TOPIC: ClassVar[str]
    NAME: ClassVar[str]
    VERSION: ClassVar[str] = '1.0'

    @classmethod
    def methods(cls) -> dict[str, Method]:
        """Return the methods by name."""
        return _methods(cls.contract())

    @classmethod
    def contract(cls) -> type[Interface]:
        """Return the class that declares the methods, for an endpoint the interface that it implements."""
        return next(base for base in cls.__mro__ if 'NAME' in vars(base))


def call(timeout: float = DEFAULT_TIMEOUT, since: str = '1.0') -> Callable[[F], F]:
    """Mark a method whose caller waits for the answer, ``timeout`` seconds at most."""
    return _mark('call', timeout, since)


def cast(since: str = '1.0') -> Callable[[F], F]:
    """Mark a method that is only a hint: nobody waits, and a lost message must do no harm."""
    return _mark('cast', 0, since)


def _mark(kind: str, timeout: float, since: str) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        function._rpc = (kind, timeout, since)  # type: ignore[attr-defined]
        return function
    return decorate


_known: dict[Any, dict[str, Method]] = {}


def _methods(contract: type[Interface]) -> dict[str, Method]:
    if contract not in _known:
        _known[contract] = _marked(contract)
    return _known[contract]


def _marked(contract: type[Interface]) -> dict[str, Method]:
    found = {}
    for name, function in inspect.getmembers(contract, inspect.isfunction):
        if (mark := getattr(function, '_rpc', None)) is not None:
            kind, timeout, since = mark
            hints = {key: hint for key, hint in typing.get_type_hints(function).items() if key != 'context'}
            found[name] = Method(name, kind, since, timeout, hints)
    return found


def expose(endpoint: Interface) -> object:
    """Return an object for oslo.messaging that has the interface's methods and nothing else."""
    import oslo_messaging
    contract = endpoint.contract()
    exposed = {name: _handler(endpoint, method) for name, method in contract.methods().items()}
    exposed['target'] = oslo_messaging.Target(namespace=contract.NAME, version=contract.VERSION)
    return type(f'{contract.__name__}Endpoint', (), exposed)()


def _handler(endpoint: Interface, method: Method) -> Callable[..., Any]:
    import oslo_messaging
    function = getattr(endpoint, method.name)
    label = f'{endpoint.TOPIC}.{endpoint.NAME}' if endpoint.TOPIC else endpoint.NAME

    # Errors raised on purpose are answers: oslo.messaging would log each of them here with a trace.
    @oslo_messaging.expected_exceptions(ComputeError)
    def handle(self: object, context: Any, **arguments: Any) -> Any:
        with metrics.Timer('compute_rpc_server_seconds', label, method.name, 'error') as timer:
            try:
                answer = encode(function(context, **method.decode_arguments(arguments)))
            except Exception as error:
                if isinstance(error, ComputeError):
                    timer.labels = (label, method.name, 'refused')
                tracing.note_failure(error)
                raise
            timer.labels = (label, method.name, 'ok')
            return answer
    handle.__name__ = method.name
    return handle
