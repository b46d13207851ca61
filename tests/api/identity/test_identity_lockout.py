"""Wrong passwords are counted before they are checked, for each user and address; nothing gets past the limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from compute.builtin.identity.db import attempts
from compute.builtin.identity.db.attempts import Denied, Reservation, network_of
from tests.api.identity.cloud import ADMIN, SERVICE, Cloud, password
from tests.waiting import LONG

LIMIT = 3


@pytest.fixture(autouse=True)
def limit(cloud: Cloud) -> None:
    cloud.conf.set_override('lockout_failure_attempts', LIMIT, 'identity')


class Held:
    """Passwords whose checks wait until the test lets them go; ``checked`` is how many began."""

    def __init__(self, right: str, places: int) -> None:
        self._right, self._places = right, places
        self._lock, self.full, self.go = threading.Lock(), threading.Event(), threading.Event()
        self.checked = 0

    def fits(self, secret: str, hashed: str | None) -> bool:
        if hashed is None:
            return False
        with self._lock:
            self.checked += 1
            if self.checked >= self._places:
                self.full.set()
        assert self.go.wait(LONG)
        return secret == self._right


def reserve(cloud: Cloud, subject: str = 'u', address: str = '192.0.2.1') -> Reservation | Denied:
    app = cloud.daemon.app
    app.write(lambda connection: attempts.ensure(connection, subject, address))
    return app.write(lambda connection: attempts.reserve(connection, subject, address, LIMIT, 300))


def places(cloud: Cloud, number: int) -> list[Reservation]:
    got = [reserve(cloud) for _ in range(number)]
    assert all(isinstance(place, Reservation) for place in got)
    return [place for place in got if isinstance(place, Reservation)]


def end(cloud: Cloud, place: Reservation, *, right: bool) -> None:
    app = cloud.daemon.app
    if right:
        app.write(lambda connection: attempts.right(connection, place))
    else:
        app.write(lambda connection: attempts.wrong(connection, place, LIMIT))


def test_many_guesses_at_once_with_the_right_one_among_them(cloud: Cloud) -> None:
    """The first three are checked; the others wait for them, and are refused unchecked when these were wrong."""
    cloud.member()
    held = Held('alice', LIMIT)
    cloud.daemon.app.passwords = held  # type: ignore[assignment]
    with ThreadPoolExecutor(30) as pool:
        first = [pool.submit(cloud.login, password('alice', f'wrong{number}')) for number in range(LIMIT)]
        assert held.full.wait(LONG)
        others = [pool.submit(cloud.login, password('alice', guess)) for guess in ['x', 'y', 'alice', 'z'] * 5]
        held.go.set()
        statuses = [answer.result().status_code for answer in [*first, *others]]
    assert statuses == [401] * 23 and held.checked == LIMIT


def test_as_many_right_logins_at_once_as_one_likes(cloud: Cloud) -> None:
    cloud.member()
    held = Held('alice', LIMIT)
    cloud.daemon.app.passwords = held  # type: ignore[assignment]
    with ThreadPoolExecutor(12) as pool:
        logins: list[Future[Any]] = [pool.submit(cloud.login, password('alice', 'alice')) for _ in range(12)]
        assert held.full.wait(LONG)
        held.go.set()
        assert [login.result().status_code for login in logins] == [201] * 12


def test_who_waits_for_too_long_may_come_again(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id, _ = cloud.member()
    for _ in range(LIMIT):
        assert isinstance(reserve(cloud, user_id), Reservation)
    monkeypatch.setattr('compute.builtin.identity.lockout._WAIT', -1.0)
    answer = cloud.login(password('alice', 'alice'))
    assert answer.status_code == 503 and answer.headers['Retry-After']


def test_places_and_wrong_guesses_together_are_limited(cloud: Cloud) -> None:
    first, second, third = places(cloud, 3)
    assert reserve(cloud) is Denied.BUSY
    end(cloud, first, right=False)
    assert reserve(cloud) is Denied.BUSY
    end(cloud, second, right=False)
    end(cloud, third, right=False)
    assert reserve(cloud) is Denied.LOCKED


def test_a_success_forgives_only_what_was_wrong_before_it_began(cloud: Cloud) -> None:
    before, = places(cloud, 1)
    end(cloud, before, right=False)
    mine, beside = places(cloud, 2)
    end(cloud, beside, right=False)
    end(cloud, mine, right=True)
    fourth, fifth = places(cloud, 2)  # one wrong guess counts still
    assert reserve(cloud) is Denied.BUSY
    end(cloud, fourth, right=False)
    end(cloud, fifth, right=False)
    assert reserve(cloud) is Denied.LOCKED


def test_a_success_unlocks_nothing(cloud: Cloud) -> None:
    mine, second, third = places(cloud, 3)
    end(cloud, second, right=False)
    end(cloud, third, right=False)
    end(cloud, mine, right=True)
    last, = places(cloud, 1)
    assert reserve(cloud) is Denied.BUSY
    end(cloud, last, right=False)
    assert reserve(cloud) is Denied.LOCKED


def test_two_successes_forgive_the_same_once(cloud: Cloud) -> None:
    wrong, = places(cloud, 1)
    end(cloud, wrong, right=False)
    one, two = places(cloud, 2)
    end(cloud, one, right=True)
    after, = places(cloud, 1)
    end(cloud, after, right=False)
    end(cloud, two, right=True)
    places(cloud, 2)
    assert reserve(cloud) is Denied.BUSY, 'the wrong guess between them counts'


def test_a_lock_and_a_lost_place_end(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, second, third = places(cloud, 3)
    end(cloud, second, right=False)
    end(cloud, third, right=False)
    later = attempts.time.time() + 301
    monkeypatch.setattr(attempts, 'time', SimpleNamespace(time=lambda: later))
    places(cloud, 3)
    end(cloud, lost, right=True)
    app = cloud.daemon.app
    assert app.write(attempts.prune) == 0
    monkeypatch.setattr(attempts, 'time', SimpleNamespace(time=lambda: later + 301))
    assert app.write(attempts.prune) == 1


def _second_while_the_first_is_open(cloud: Cloud, first: Callable[[sa.Connection], Any],
                                    second: Callable[[sa.Connection], Any]) -> tuple[Any, Any]:
    """Run two transactions; the second has sent its first statement, or waits for the store, when the first commits."""
    app, begun, done = cloud.daemon.app, threading.Event(), []

    def other() -> None:
        begun.set()
        done.append(app.write(second))
    thread = threading.Thread(target=other)

    def whole(connection: sa.Connection) -> Any:
        got = first(connection)
        if not thread.ident:
            thread.start()
        assert begun.wait(LONG)
        return got
    got = app.write(whole)
    thread.join(LONG)
    return got, done[0]


def test_two_connections_do_not_take_the_same_place(cloud: Cloud) -> None:
    places(cloud, 2)
    for _ in range(10):
        one, two = _second_while_the_first_is_open(
            cloud, *[lambda connection: attempts.reserve(connection, 'u', '192.0.2.1', LIMIT, 300)] * 2)
        assert isinstance(one, Reservation) and two is Denied.BUSY
        end(cloud, one, right=True)


def test_two_connections_make_one_row(cloud: Cloud) -> None:
    for number in range(5):
        _second_while_the_first_is_open(
            cloud, *[lambda connection, subject=f'v{number}': attempts.ensure(connection, subject, 'a')] * 2)
    count = sa.select(sa.func.count()).select_from(attempts.attempts)
    assert cloud.daemon.app.database.scalar(count) == 5


def test_a_stranger_does_not_lock_the_administrator_out(cloud: Cloud) -> None:
    cloud.address = '203.0.113.9'
    for _ in range(2 * LIMIT):
        assert cloud.login(password('admin', 'guess')).status_code == 401
    assert cloud.login(password('admin', ADMIN)).status_code == 401, 'this address is locked out'
    cloud.address = '192.0.2.1'
    assert cloud.login(password('admin', ADMIN)).status_code == 201
    cloud.address = '203.0.113.9'
    assert cloud.login(password('admin', ADMIN)).status_code == 401, 'a login from elsewhere unlocks nothing'


def test_changing_the_own_password_counts_too(cloud: Cloud) -> None:
    user_id, _ = cloud.member()
    for _ in range(LIMIT):
        cloud.send('POST', f'/v3/users/{user_id}/password', {'user': {'original_password': 'x', 'password': 'y'}})
    assert cloud.login(password('alice', 'alice')).status_code == 401
    assert cloud.send('PATCH', f'/v3/users/{user_id}', {'user': {'enabled': True}}, cloud.admin).status_code == 200
    assert cloud.login(password('alice', 'alice')).status_code == 201


def test_secrets_of_application_credentials_count_too(cloud: Cloud) -> None:
    user_id, _ = cloud.member()
    token = cloud.token(password('alice', 'alice'), {'project': {'name': 'alice-project', 'domain': {'id': 'default'}}})
    made = cloud.send('POST', f'/v3/users/{user_id}/application_credentials',
                      {'application_credential': {'name': 'robot', 'secret': 'right'}}, token).json
    robot = made['application_credential']['id']

    def login(secret: str) -> int:
        return int(cloud.login({'methods': ['application_credential'],
                                'application_credential': {'id': robot, 'secret': secret}}).status_code)
    assert login('right') == 201
    for _ in range(LIMIT):
        assert login('wrong') == 401
    assert login('right') == 401
    assert cloud.login(password('alice', 'alice')).status_code == 201, 'its user is another subject'


def test_exempt_users_and_no_limit(cloud: Cloud) -> None:
    for _ in range(LIMIT + 1):
        assert cloud.login(password('compute', 'wrong')).status_code == 401
    assert cloud.login(password('compute', SERVICE)).status_code == 201
    cloud.conf.set_override('lockout_failure_attempts', 0, 'identity')
    for _ in range(LIMIT + 1):
        cloud.login(password('admin', 'wrong'))
    assert cloud.login(password('admin', ADMIN)).status_code == 201


@pytest.mark.parametrize(('address', 'counted'), [
    ('192.0.2.7', '192.0.2.7'), ('::ffff:192.0.2.7', '192.0.2.7'), ('2001:db8:1:2:3::4', '2001:db8:1:2::/64'),
    ('2001:db8:1:2::9', '2001:db8:1:2::/64'), ('fe80::1%eth0', 'fe80::/64'), ('[2001:db8::1]:4711', '2001:db8::/64'),
    ('192.0.2.7:4711', '192.0.2.7'), ('10.9.9.9, 192.0.2.7', '192.0.2.7'), ('"[2001:db8::1]"', '2001:db8::/64'),
    ('unix:', 'unix'), ('', ''), ('x' * 99, 'x' * 64)])
def test_what_is_counted_together(address: str, counted: str) -> None:
    assert network_of(address) == counted


def test_behind_a_proxy_the_address_that_it_saw_counts(cloud: Cloud) -> None:
    """What a client itself writes in front of it changes nothing."""
    for number in range(LIMIT):
        cloud.address = f'10.0.0.{number}, 203.0.113.9'
        assert cloud.login(password('admin', 'guess')).status_code == 401
    cloud.address = '10.9.9.9, 203.0.113.9'
    assert cloud.login(password('admin', ADMIN)).status_code == 401
    cloud.address = '203.0.113.9, 198.51.100.1'
    assert cloud.login(password('admin', ADMIN)).status_code == 201
