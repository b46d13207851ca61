"""What must be done at once whatever a client sends: checks of long texts and lists, searches, known tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from compute.api.servers.fields import CREATE
from compute.builtin.network.api.ports import UPDATE
from compute.db.expression import Expression
from compute.exception import Invalid
from compute.rest.tokens import TokenChecker
from compute.rest.versions import NEWEST
from tests.endurance.conftest import Figures
from tests.unit.rest.test_patterns import _MANY
from tests.unit.rest.test_token_checker import FakeIdentity, checker, conf, identity

__all__ = ['checker', 'conf', 'identity']
SERVER = {'name': 'x', 'flavorRef': '1', 'networks': 'none'}


@contextmanager
def measured(figures: Figures, most: float) -> Iterator[None]:
    """Note the processor time of a block, and what it may be at most."""
    begin = time.process_time()
    yield
    figures.at_most('seconds of processor time', time.process_time() - begin, most)


def refused(read: Callable[[], Any]) -> None:
    with pytest.raises(Invalid):
        read()


@pytest.mark.parametrize('text', ['a' * 60 + '!', 'a.' * 120 + '!', 'a' * 100000, 'a..b'], ids=len)
def test_a_dns_name_is_checked_at_once(text: str, figures: Figures) -> None:
    with measured(figures, 0.5):
        refused(lambda: UPDATE.read(NEWEST, {'port': {'dns_name': text}}))


@pytest.mark.parametrize('length', [63, 255, 50000])
def test_a_hostname_is_checked_at_once(length: int, figures: Figures) -> None:
    with measured(figures, 0.5):
        refused(lambda: CREATE.read(NEWEST, {'server': {**SERVER, 'hostname': 'a' * length + '!'}}))


@pytest.mark.parametrize('items', _MANY, ids=['objects', 'mixed', 'lists', 'equal'])
@pytest.mark.parametrize('key', ['tags', 'trusted_image_certificates', 'security_groups', 'block_device_mapping_v2',
                                 'hint'])
def test_a_long_list_of_bad_items_is_refused_at_once(key: str, items: list[Any], figures: Figures) -> None:
    body = {'server': SERVER, 'os:scheduler_hints': {'same_host': items}} if key == 'hint' else {
        'server': {**SERVER, key: items}}
    with measured(figures, 0.25):
        refused(lambda: CREATE.read(NEWEST, body))


@pytest.mark.parametrize('pattern', ['(a+)+$', '^(a|a)*$', '(a|aa)+$', 'a?' * 60 + 'a' * 60 + '$', '.*.*.*.*.*x',
                                     '(.*)(.*)(.*)(.*)(.*)[0-9]$'])
def test_no_expression_keeps_a_search_busy(pattern: str, figures: Figures) -> None:
    with measured(figures, 1):
        assert not Expression(pattern).search('a' * 254 + '!')


def test_a_known_token_takes_less_than_a_millisecond(checker: TokenChecker, identity: FakeIdentity,  # noqa: F811
                                                     figures: Figures) -> None:
    for number in range(1000):
        identity.revoke('user', f'other{number}')
    token = identity.issue()
    checker(token)
    with measured(figures, 1):
        for _ in range(1000):
            checker(token)
