"""TokenChecker with a source that can change its keys, revoke, and fail."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from oslo_config import cfg

from compute import conf as options
from compute.exception import Unauthorized, Unavailable
from compute.rest import tokens
from compute.rest.claims import Claims, Credential, Named, Place
from compute.rest.tokens import TokenChecker
from tests.clock import Clock
from tests.waiting import deadline, wait_until


class FakeIdentity:
    """A complete source: signs, publishes, revokes; ``down`` makes it fail."""

    def __init__(self) -> None:
        self.signers: dict[str, Ed25519PrivateKey] = {}
        self.events: list[list[Any]] = []
        self.down = False
        self.asked = {'keys': 0, 'revocations': 0}
        self.page = 1000
        self.rotate('first')

    def rotate(self, kid: str) -> None:
        self.signers[kid] = Ed25519PrivateKey.generate()
        self.current = kid

    def revoke(self, kind: str, value: str, lives: int = 3600) -> None:
        self.events.append([len(self.events) + 1, kind, value, int(time.time()) + lives])

    def issue(self, **changes: Any) -> str:
        claims = make_claims(revision=len(self.events), **changes)
        return sign(self.signers[self.current], self.current, claims.to_wire())

    def keys(self) -> list[dict[str, str]]:
        self._answer('keys')
        return [{'kty': 'OKP', 'crv': 'Ed25519', 'kid': kid,
                 'x': base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip('=')}
                for kid, key in self.signers.items()]

    def revocations(self, since: int) -> dict[str, Any]:
        self._answer('revocations')
        events = [event for event in self.events if event[0] > since][:self.page]
        newest = len(self.events)
        return {'number': events[-1][0] if events else newest, 'newest': newest, 'events': events,
                'kids': list(self.signers)}

    def _answer(self, what: str) -> None:
        self.asked[what] += 1
        if self.down:
            raise Unavailable('identity is down')


def make_claims(**changes: Any) -> Claims:
    now = int(time.time())
    return Claims(**{
        'user': Place('u1', 'alice', 'default', 'Default'), 'methods': ('password',), 'audit_ids': ('a1', 'a0'),
        'revision': 0, 'issued_at': now, 'expires_at': now + 600,
        'project': Place('p1', 'web', 'd1', 'Domain'), 'roles': (Named('r1', 'member'), Named('r2', 'reader')),
        'credential': Credential('c1', 'robot', True), **changes})


def sign(key: Any, kid: str, payload: dict[str, Any], algorithm: str = 'EdDSA') -> str:
    return jwt.encode(payload, key, algorithm=algorithm, headers={'kid': kid})


@pytest.fixture
def identity() -> FakeIdentity:
    return FakeIdentity()


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    made = options.register(cfg.ConfigOpts())
    made([], project='compute')
    made.set_override('revocation_interval', 0.1, 'auth')
    return made


@pytest.fixture
def checker(conf: cfg.ConfigOpts, identity: FakeIdentity) -> Iterator[TokenChecker]:
    made = TokenChecker(conf, identity)
    yield made
    made.stop()


def until(condition: Any) -> None:
    wait_until(condition, 'what the test waits for')


def refused(checker: TokenChecker, token: str) -> bool:
    try:
        checker(token)
    except Unauthorized:
        return True
    return False


def test_headers(checker: TokenChecker, identity: FakeIdentity) -> None:
    assert checker(identity.issue()) == {
        'X-User-Id': 'u1', 'X-User-Name': 'alice', 'X-User-Domain-Id': 'default', 'X-User-Domain-Name': 'Default',
        'X-Roles': 'member,reader', 'X-Project-Id': 'p1', 'X-Project-Name': 'web', 'X-Project-Domain-Id': 'd1',
        'X-Project-Domain-Name': 'Domain'}
    assert checker(identity.issue(project=None, system=True))['OpenStack-System-Scope'] == 'all'
    assert checker(identity.issue(project=None, domain=Named('d1', 'Domain')))['X-Domain-Id'] == 'd1'


def test_claims_survive_the_wire() -> None:
    claims = make_claims()
    assert Claims.from_wire(json.loads(json.dumps(claims.to_wire()))) == claims


def test_no_call_per_token(checker: TokenChecker, identity: FakeIdentity) -> None:
    token = identity.issue()
    checker(token)
    identity.down = True
    for _ in range(100):
        checker(token)
        checker(identity.issue())
    assert identity.asked['keys'] == 1


@pytest.mark.parametrize('subject', [
    ('token', 'a1'), ('chain', 'a0'), ('user', 'u1'), ('project', 'p1'), ('domain', 'd1'), ('domain', 'default'),
    ('credential', 'c1'), ('role', 'r2'), ('grant', 'u1/project:p1')])
def test_revoked(checker: TokenChecker, identity: FakeIdentity, subject: tuple[str, str]) -> None:
    old = identity.issue()
    checker(old)
    identity.revoke(*subject)
    until(lambda: refused(checker, old))
    assert not refused(checker, identity.issue()), 'a token made afterwards is good'


@pytest.mark.parametrize('subject', [('token', 'a0'), ('user', 'p1'), ('grant', 'u1/system:all'), ('project', 'p2')])
def test_others_are_spared(checker: TokenChecker, identity: FakeIdentity, subject: tuple[str, str]) -> None:
    old = identity.issue()
    checker(old)
    identity.revoke(*subject)
    asked = identity.asked['revocations']
    until(lambda: identity.asked['revocations'] > asked + 1)
    checker(old)


def test_revocations_in_pages(checker: TokenChecker, identity: FakeIdentity) -> None:
    old = identity.issue()
    identity.page = 2
    for number in range(5):
        identity.revoke('user', f'other{number}')
    identity.revoke('user', 'u1')
    assert refused(checker, old), 'all pages are read before the first answer'


def test_a_store_that_begins_anew_is_read_from_its_beginning(checker: TokenChecker, identity: FakeIdentity) -> None:
    for number in range(5):
        identity.revoke('user', f'other{number}')
    checker(identity.issue())
    identity.events.clear()
    old = identity.issue()
    identity.revoke('user', 'u1')
    until(lambda: refused(checker, old))


def test_expired(checker: TokenChecker, identity: FakeIdentity) -> None:
    token = identity.issue(expires_at=int(time.time()))
    with pytest.raises(Unauthorized) as caught:
        checker(token)
    assert caught.value.code == 'token_expired'
    assert checker.claims(token, grace=60).user.id == 'u1'


def test_forged(checker: TokenChecker, identity: FakeIdentity) -> None:
    payload = make_claims().to_wire()
    other = Ed25519PrivateKey.generate()
    public = identity.signers['first'].public_key().public_bytes_raw().hex() * 2
    good = identity.issue()
    head, _, tail = good.split('.')
    body = base64.urlsafe_b64encode(json.dumps({**payload, 'u': ['root', 'root', 'd', 'd']}).encode()).decode()
    forged = [sign(other, 'first', payload), sign(public, 'first', payload, 'HS256'),
              jwt.encode(payload, None, algorithm='none', headers={'kid': 'first'}),
              f'{head}.{body.rstrip("=")}.{tail}',
              sign(identity.signers['first'], 'first', {'u': 1}), good + 'x', '', 'a.b', 'x' * 9000, 'ü.ü.ü']
    for token in forged:
        with pytest.raises(Unauthorized):
            checker(token)
    checker(good)


def test_new_keys_are_fetched_and_removed_ones_forgotten(checker: TokenChecker, identity: FakeIdentity) -> None:
    old = identity.issue()
    checker(old)
    identity.rotate('second')
    until(lambda: not refused(checker, identity.issue()))
    checker(old)
    del identity.signers['first']
    until(lambda: refused(checker, old))


def test_unknown_keys_cost_at_most_one_fetch_a_second(checker: TokenChecker, identity: FakeIdentity,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    checker(identity.issue())
    before, clock = identity.asked['keys'], Clock()
    clock.now = deadline(0)
    monkeypatch.setattr(tokens, 'time', clock)
    for seconds in (0, 0, 2, 0, 0):
        clock.advance(seconds)
        assert refused(checker, sign(Ed25519PrivateKey.generate(), f'k{seconds}', make_claims().to_wire()))
    assert identity.asked['keys'] - before == 1


def test_unavailable_until_the_first_fetch(conf: cfg.ConfigOpts, identity: FakeIdentity) -> None:
    identity.down = True
    checker = TokenChecker(conf, identity)
    token = identity.issue()
    for _ in range(20):
        with pytest.raises(Unavailable):
            checker(token)
    assert identity.asked['revocations'] == 1, 'an outage is not made worse by asking for each request'
    identity.down = False

    def works() -> bool:
        try:
            return bool(checker(token))
        except Unavailable:
            return False
    until(works)
    checker.stop()


def test_nobody_there(conf: cfg.ConfigOpts) -> None:
    conf.set_override('url', 'http://127.0.0.1:1/v3', 'auth')
    with pytest.raises(Unavailable) as caught:
        TokenChecker(conf)('token')
    assert 'http://127.0.0.1:1/v3' in caught.value.message


def test_many_threads(checker: TokenChecker, identity: FakeIdentity) -> None:
    tokens = [identity.issue(audit_ids=(f'a{number}',)) for number in range(20)]
    problems: list[Exception] = []

    def work() -> None:
        try:
            for token in tokens * 20:
                checker(token)
        except Exception as error:
            problems.append(error)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems and identity.asked['keys'] == 1
