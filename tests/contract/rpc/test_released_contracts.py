"""Daemons of the last release and of this tree understand each other: an upgrade takes one daemon at a time.

Two ways of looking. The rules compare records: what may never change in a contract. The talks rebuild the old contract
and speak it to what is served today, and the other way round, over a real bus, every method with every argument.
"""

from __future__ import annotations

import copy
import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg

from compute import conf as options
from compute import context as ctx
from compute import exception
from compute.objects.value import encode
from compute.rpc.interface import Interface
from compute.rpc.transport import Rpc
from tests.contract.rpc import recording
from tests.contract.rpc.rebuilt import Release, arguments_of, required
from tests.functional.standalone import wait_for

LAST = list(recording.released())[-1]
OLD = recording.released()[LAST]
RELEASE = Release(OLD)
CURRENT = {recording.key(interface): interface for interface in recording.interfaces()}
METHODS = [(name, method) for name, told in OLD['interfaces'].items() for method in told['methods'] if name != '*.ping']


# -- the rules --

def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split('.'))


def fields_broken(what: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Say what a side one release away could not read or would miss: of arguments, and of the fields of values."""
    for name, told in old.items():
        if name not in new:
            yield f'{what}.{name} is gone'
        elif new[name]['type'] not in (told['type'], f'{told["type"]} | None'):
            yield f'{what}.{name} was {told["type"]}, is {new[name]["type"]}'
        elif told['required'] and not new[name]['required']:
            yield f'{what}.{name} may be left out now, and the old side needs it'
    for name, told in new.items():
        if told['required'] and not old.get(name, {'required': False})['required']:
            yield f'{what}.{name} is needed, and the old side does not send it'


def method_broken(what: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for part in ('kind', 'since', 'returns'):
        if old[part] != new[part]:
            yield f'{what}: {part} was {old[part]}, is {new[part]}'
    yield from fields_broken(what, old['arguments'], new['arguments'])


def broken(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Say where daemons of two contracts would not understand each other."""
    for name, told in old['interfaces'].items():
        now = new['interfaces'].get(name)
        if now is None:
            yield f'{name} is gone'
            continue
        was, is_now = version(told['version']), version(now['version'])
        if was[0] != is_now[0] or is_now < was:
            yield f'{name}: version {told["version"]} became {now["version"]}'
        for method, shape in told['methods'].items():
            if method not in now['methods']:
                yield f'{name}.{method} is gone'
            else:
                yield from method_broken(f'{name}.{method}', shape, now['methods'][method])
        for method in now['methods'].keys() - told['methods'].keys():
            since = version(now['methods'][method]['since'])
            if not was < since <= is_now:
                yield f'{name}.{method} is new: its since must be after {told["version"]} and its interface\'s VERSION'
    for name, told in old['values'].items():
        yield from fields_broken(name, told, new['values'].get(name, told))


def test_nothing_that_was_released_has_changed() -> None:
    assert list(broken(OLD, recording.contract())) == []


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the old contract with one thing in another way; None removes it."""
    new = copy.deepcopy(OLD)
    *parents, last = path.split('/')
    at = new
    for part in parents:
        at = at[part]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return new


BEGIN = 'interfaces/conductor.reports/methods/begin'
NEW_METHOD = {'kind': 'cast', 'since': '1.0', 'arguments': {}, 'returns': 'None'}


@pytest.mark.parametrize(('path', 'value', 'told'), [
    ('interfaces/conductor.reports', None, 'is gone'),
    ('interfaces/conductor.reports/version', '2.0', 'became 2.0'),
    (BEGIN, None, 'begin is gone'),
    (f'{BEGIN}/kind', 'cast', 'kind was call'),
    (f'{BEGIN}/returns', 'int', 'returns was Work'),
    (f'{BEGIN}/arguments/host', None, 'host is gone'),
    (f'{BEGIN}/arguments/host/type', 'int', 'was str, is int'),
    (f'{BEGIN}/arguments/host/required', False, 'may be left out'),
    (f'{BEGIN}/arguments/more', {'type': 'str', 'required': True}, 'is needed'),
    ('interfaces/conductor.reports/methods/more', NEW_METHOD, 'more is new'),
    ('values/Work/instance', None, 'instance is gone'),
    ('values/Work/more', {'type': 'str', 'required': True}, 'is needed'),
])
def test_a_change_that_breaks_is_found(path: str, value: Any, told: str) -> None:
    assert any(told in each for each in broken(OLD, changed(path, value)))


@pytest.mark.parametrize(('path', 'value'), [
    ('interfaces/conductor.reports/version', '1.1'),
    (f'{BEGIN}/arguments/more', {'type': 'str', 'required': False}),
    ('values/Work/more', {'type': 'str', 'required': False}),
    ('values/More', {'word': {'type': 'str', 'required': True}}),
])
def test_what_is_only_added_breaks_nothing(path: str, value: Any) -> None:
    assert list(broken(OLD, changed(path, value))) == []


# -- the talks --

class Echo:
    """Serves an interface: keeps what arrives, and answers with what it is told."""

    def __init__(self, interface: type[Interface], answers: dict[str, Any]) -> None:
        self.seen: dict[str, dict[str, Any]] = {}
        methods = {name: self._method(name, answers.get(name)) for name in interface.methods()}
        self.endpoint = type('Endpoint', (interface,), methods)()

    def _method(self, name: str, answer: Any) -> Any:
        def handle(endpoint: object, context: Any, **arguments: Any) -> Any:
            self.seen[name] = arguments
            return answer
        return handle


def returned(interface: type[Interface], method: str) -> Any:
    return typing.get_type_hints(getattr(interface, method))['return']


@pytest.fixture(scope='module')
def rpc() -> Iterator[Rpc]:
    conf = options.register(cfg.CONF)
    conf([], project='compute', default_config_files=[])
    rpc = Rpc(conf, 'kombu+memory://')
    yield rpc
    rpc.close()


def served(rpc: Rpc, interfaces: dict[str, type[Interface]], host: str, release: Release | None) -> Iterator[
        dict[str, Echo]]:
    """Serve interfaces; each method answers with a sample of what it returns, of the release or of today."""
    topics: dict[str, list[Interface]] = {}
    echoes = {}
    for name, interface in interfaces.items():
        if name == '*.ping':
            continue
        answers = {method: (release or TODAY).sample(returned(interface, method)) for method in interface.methods()}
        echoes[name] = Echo(interface, answers)
        topics.setdefault(interface.TOPIC, []).append(echoes[name].endpoint)
    servers = [rpc.server(topic, host, endpoints) for topic, endpoints in topics.items()]
    for server in servers:
        server.start()
    yield echoes
    for server in servers:
        server.stop()
    for server in servers:
        server.wait()


class Today(Release):
    """Samples of the types as they are now."""

    def __init__(self) -> None:
        self._contract = recording.contract()


TODAY = Today()


@pytest.fixture(scope='module')
def new_daemons(rpc: Rpc) -> Iterator[dict[str, Echo]]:
    yield from served(rpc, CURRENT, 'new', None)


@pytest.fixture(scope='module')
def old_daemons(rpc: Rpc) -> Iterator[dict[str, Echo]]:
    yield from served(rpc, RELEASE.interfaces, 'old', RELEASE)


def send(rpc: Rpc, interface: type[Interface], server: str, method: str, arguments: dict[str, Any]) -> Any:
    return getattr(rpc.client(interface, server), method)(ctx.internal(), **arguments)


def arrived(echo: Echo, method: str) -> dict[str, Any]:
    wait_for(lambda: method in echo.seen, 10, f'{method} to arrive')
    return echo.seen.pop(method)


def common(sent: Any, got: Any) -> None:
    """Assert that what both sides know came over unchanged."""
    sent, got = encode(sent), encode(got)
    if isinstance(sent, dict) and isinstance(got, dict):
        for name in sent.keys() & got.keys():
            common(sent[name], got[name])
    elif isinstance(sent, list) and isinstance(got, list):
        assert len(sent) == len(got)
        for one, other in zip(sent, got, strict=True):
            common(one, other)
    else:
        assert sent == got


@pytest.mark.parametrize(('name', 'method'), METHODS, ids='-'.join)
def test_an_old_daemon_speaks_to_a_new_one(rpc: Rpc, new_daemons: dict[str, Echo], name: str, method: str) -> None:
    interface = RELEASE.interfaces[name]
    arguments = {each: RELEASE.sample(hint) for each, hint in arguments_of(interface, method).items()}
    answer = send(rpc, interface, 'new', method, arguments)
    common(arguments, arrived(new_daemons[name], method))
    if OLD['interfaces'][name]['methods'][method]['kind'] == 'call':
        common(TODAY.sample(returned(CURRENT[name], method)), answer)


@pytest.mark.parametrize('whole', [True, False], ids=['all', 'least'])
@pytest.mark.parametrize(('name', 'method'), METHODS, ids='-'.join)
def test_a_new_daemon_speaks_to_an_old_one(rpc: Rpc, old_daemons: dict[str, Echo], name: str, method: str,
                                           whole: bool) -> None:
    interface = CURRENT[name]
    needed = required(interface, method)
    arguments = {each: TODAY.sample(hint) for each, hint in arguments_of(interface, method).items()
                 if whole or each in needed}
    answer = send(rpc, interface, 'old', method, arguments)
    common(arguments, arrived(old_daemons[name], method))
    if interface.methods()[method].kind == 'call':
        common(RELEASE.sample(returned(RELEASE.interfaces[name], method)), answer)


def test_a_method_that_an_old_daemon_does_not_have_is_refused_by_name(rpc: Rpc, old_daemons: dict[str, Echo]) -> None:
    from compute.rpc.interface import call

    class More(CURRENT['conductor.reports']):  # type: ignore[misc,name-defined]
        NAME, VERSION = 'reports', '1.9'

        @call(timeout=5, since='1.9')
        def more(self, context: Any) -> None:
            """A method of a later release."""
    with pytest.raises(exception.Unavailable) as caught:
        rpc.client(More, 'old').more(ctx.internal())
    assert caught.value.code == 'rpc_version' and 'more' in caught.value.message


def test_rebuilt_values_are_those_of_the_record() -> None:
    for name, told in OLD['values'].items():
        assert {field.name for field in dataclasses.fields(RELEASE.values[name])} == set(told)
