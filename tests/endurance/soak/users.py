"""The users of a soak: each boots, stops, starts, reboots and deletes servers, and knows what to expect of an answer.

A request that changes something is asked again, with the same ``Idempotency-Key``, until it has an answer. A user waits
for one thing to end before it asks for the next, so that a slow machine is not buried; now and then it deletes the
server that it waits for.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import requests

from compute.objects.value import now
from tests.endurance.soak.bed import SoakBed
from tests.endurance.soak.journal import Failure, Journal, Missed
from tests.real.cluster import Client

SERVERS = 3
"""What one user has at most."""
PATIENCE = 90.0
"""Seconds after which a request that is asked again and again should have had an answer."""
THINKS = (0.3, 1.2)
_AGAIN = ('idempotency_key_in_use',)
_DONE = ('idempotency_answer_lost',)
GONE, ACTIVE, SHUTOFF = 'gone', 'ACTIVE', 'SHUTOFF'
ACTIONS = {'stop': ('stop', {'os-stop': None}, SHUTOFF), 'start': ('start', {'os-start': None}, ACTIVE),
           'reboot': ('reboot', {'reboot': {'type': 'SOFT'}}, ACTIVE),
           'hard reboot': ('reboot_hard', {'reboot': {'type': 'HARD'}}, ACTIVE)}
"""By name: the kind of its operation, the body of its request, and the state in which the server shall be then."""
_WEIGHTS = {ACTIVE: {'reboot': 3, 'hard reboot': 2, 'stop': 3, 'delete': 3, 'show': 2},
            SHUTOFF: {'start': 5, 'delete': 1, 'show': 1}}
_WAITS = {'show': 14, 'list': 3, 'detail': 3, 'delete': 1}
"""What a user does while it waits for a server."""


@dataclass
class Mine:
    """A server of a user: what was asked of it last, and whether that still goes on."""

    uuid: str
    name: str
    wish: str = ACTIVE
    kind: str = 'create'
    busy: bool = True
    since: float = field(default_factory=time.monotonic)

    def asked(self, kind: str, wish: str) -> None:
        """Begin to wait for something."""
        self.kind, self.wish, self.busy, self.since = kind, wish, True, time.monotonic()


class User:
    """``service`` is the one of the two APIs that this user speaks to."""

    def __init__(self, number: int, bed: SoakBed, journal: Journal, seed: int) -> None:
        self.number, self._bed, self._journal = number, bed, journal
        self._service = 'compute' if number % 2 else 'compute2'
        self._random = random.Random(f'{seed}-{number}')
        self._client = Client(bed)
        self._servers: list[Mine] = []
        self._serial = 0

    def run(self, stop: threading.Event) -> None:
        """Go on until told to stop; what was asked for then goes on by itself."""
        while not stop.wait(self._random.uniform(*THINKS)):
            self._step()

    def busy(self) -> list[Mine]:
        """Return servers that something was asked of and that have not been seen to be ready."""
        return [mine for mine in self._servers if mine.busy]

    def look(self) -> None:
        """Look at every server that is busy."""
        for mine in self.busy():
            self._show(mine)

    def _step(self) -> None:
        if busy := self.busy():
            mine = self._random.choice(busy)
            choices = dict(_WAITS) if mine.wish != GONE else {**_WAITS, 'delete': 0}
        else:
            choices = {'list': 2, 'detail': 2, 'boot': 6 if len(self._servers) < SERVERS else 0}
            mine = self._random.choice(self._servers) if self._servers else None
            choices.update(_WEIGHTS[mine.wish] if mine is not None else {})
        name, = self._random.choices(list(choices), list(choices.values()))
        self._do(name, mine)

    def _do(self, name: str, mine: Mine | None) -> None:
        if name == 'boot':
            self._boot()
        elif mine is None or name in ('list', 'detail'):
            self._list('/detail' if name == 'detail' else '')
        elif name == 'delete':
            self._delete(mine)
        elif name == 'show':
            self._show(mine)
        else:
            self._act(mine, name)

    # -- requests --

    def _boot(self) -> None:
        self._serial += 1
        name = f'u{self.number}-{self._serial}'
        answer = self._ask('boot', 'POST', '/servers', self._bed.request(name=name), good=(202,))
        if answer is not None:
            made = Mine(answer.json()['server']['id'], name)
            self._servers.append(made)
            self._journal.accepted(made.uuid, 'create', name)

    def _act(self, mine: Mine, name: str) -> None:
        kind, body, wish = ACTIONS[name]
        mine.asked(kind, wish)
        if self._ask(name, 'POST', f'/servers/{mine.uuid}/action', body, good=(202,)) is not None:
            self._journal.accepted(mine.uuid, mine.kind)

    def _delete(self, mine: Mine) -> None:
        mine.asked('delete', GONE)
        if self._ask('delete', 'DELETE', f'/servers/{mine.uuid}', good=(204, 404)) is not None:
            self._journal.accepted(mine.uuid, 'delete')

    def _list(self, path: str = '') -> None:
        wanted = {mine.uuid for mine in self._servers if mine.wish != GONE}
        answer = self._ask(f'list{path}', 'GET', f'/servers{path}')
        if answer is None:
            return
        found = [server['name'] for server in answer.json()['servers']]
        if len(set(found)) < len(found):
            self._journal.complain(f'servers are listed twice: {sorted(found)}')
        if lost := wanted - {server['id'] for server in answer.json()['servers']}:
            self._journal.complain(f'servers are missing in the list: {lost}')

    def _show(self, mine: Mine) -> None:
        answer = self._ask('show', 'GET', f'/servers/{mine.uuid}', good=(200, 404))
        if answer is None:
            return
        if answer.status_code == 404:
            if mine.wish != GONE:
                self._journal.complain(f'server {mine.uuid} is lost: {mine}')
            else:
                self._journal.settled('delete', time.monotonic() - mine.since)
            self._servers.remove(mine)
            return
        self._shown(mine, answer.json()['server'])

    def _shown(self, mine: Mine, server: dict[str, Any]) -> None:
        state, task = server['status'], server['OS-EXT-STS:task_state']
        if task is not None or state == 'BUILD':
            if not mine.busy:
                self._journal.complain(f'server {mine.uuid} is {state}/{task}, nobody asked for it')
            return
        if mine.busy:
            self._journal.settled(mine.kind, time.monotonic() - mine.since)
        mine.busy = False
        if state != mine.wish:
            self._journal.miss(Missed(mine.uuid, mine.kind, mine.wish, f'{state} {server.get("fault", "")}'))
            mine.wish = state
        if state not in _WEIGHTS:
            self._delete(mine)

    def _ask(self, request: str, method: str, path: str, body: Any = None,
             good: tuple[int, ...] = (200,)) -> requests.Response | None:
        """Return a good answer; None where there is none, which is noted. What changes something is asked again."""
        headers = {'Idempotency-Key': str(uuid.uuid4())} if method == 'POST' else {}
        until = time.monotonic() + PATIENCE
        while True:
            begin, answer = now(), None
            try:
                answer = self._client.call(method, self._service, path, body, headers=headers)
                what, again = self._result(answer, good)
            except requests.RequestException as error:
                what, again = type(error).__name__, True
            if not what:
                self._journal.count(request, 'ok')
                return answer
            text = answer.text[:300] if answer is not None else ''
            self._journal.failed(Failure(request, self._service, begin, now(), what, text))
            if not again:
                self._journal.complain(f'{request} {path}: {what} {text}')
            if not again or method == 'GET':
                return None
            if time.monotonic() > until:
                self._journal.complain(f'{request} {path}: no answer in {PATIENCE:.0f} s, at last {what} {text}')
                return None
            time.sleep(0.5)

    @staticmethod
    def _result(answer: requests.Response, good: tuple[int, ...]) -> tuple[str, bool]:
        """Return what an answer is other than good, if anything, and whether it makes sense to ask again."""
        if answer.status_code in good:
            return '', False
        code = code_of(answer)
        if code in _DONE:
            return '', False
        return f'{answer.status_code} {code}'.strip(), answer.status_code >= 500 or code in _AGAIN


def code_of(answer: requests.Response) -> str:
    """Return the reason that an error names; empty where it names none."""
    try:
        found = answer.json()
    except ValueError:
        return ''
    inner = next(iter(found.values()), None) if isinstance(found, dict) else None
    return str(inner.get('reason', '')) if isinstance(inner, dict) else ''
