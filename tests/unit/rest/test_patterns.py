"""Patterns and integers of schemas: where the checks are stricter than ``jsonschema``'s own."""

from __future__ import annotations

import time
from typing import Any

import pytest

from compute.api.servers.fields import CREATE
from compute.builtin.network.api.ports import UPDATE
from compute.exception import Invalid
from compute.rest.fields import Validator, fields
from compute.rest.patterns import compiled
from compute.rest.versions import NEWEST


@pytest.mark.parametrize(('pattern', 'text', 'fits'), [
    ('^a$', 'a', True), ('^a$', 'a\n', False), ('^$|^b$', 'b\n', False), (r'^\$$', '$', True), ('^[$]$', '$', True),
    ('^[]$]+$', ']$', True), (r'^a\Z', 'a\n', False)])
def test_a_dollar_is_the_end(pattern: str, text: str, fits: bool) -> None:
    assert (compiled(pattern).search(text) is not None) is fits


@pytest.mark.parametrize('value', [1.0, 1e30, True, '1'])
def test_an_integer_is_written_as_one(value: Any) -> None:
    validator = Validator(fields(size={'type': 'integer'}))
    validator.check(NEWEST, {'size': 1})
    with pytest.raises(Invalid, match='size'):
        validator.check(NEWEST, {'size': value})


def test_a_text_that_is_too_long_is_not_matched() -> None:
    validator = Validator(fields(name={'type': 'string', 'maxLength': 20, 'pattern': '^(a+)+$'}))
    with pytest.raises(Invalid, match='too long'):
        validator.check(NEWEST, {'name': 'a' * 100 + '!'})


@pytest.mark.parametrize('text', ['a' * 60 + '!', 'a.' * 120 + '!', 'a' * 100000, 'host\n', 'a..b', '-a'])
def test_a_dns_name_is_checked_at_once(text: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(Invalid, match='dns_name'):
        UPDATE.read(NEWEST, {'port': {'dns_name': text}})
    assert time.perf_counter() - begin < 2


@pytest.mark.parametrize('text', ['', 'a', 'host-1', 'host-1.example.org', 'host.example.org.'])
def test_a_good_dns_name_is_taken(text: str) -> None:
    assert UPDATE.read(NEWEST, {'port': {'dns_name': text}})[0] == {'dns_name': text}


@pytest.mark.parametrize('length', [63, 255, 50000])
def test_a_hostname_is_checked_at_once(length: int) -> None:
    begin = time.perf_counter()
    with pytest.raises(Invalid):
        CREATE.read(NEWEST, {'server': {'name': 'x', 'flavorRef': '1', 'networks': 'none',
                                        'hostname': 'a' * length + '!'}})
    assert time.perf_counter() - begin < 2
