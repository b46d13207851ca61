"""Patterns and integers of schemas: where the checks are stricter than ``jsonschema``'s own."""

from __future__ import annotations

from typing import Any

import pytest

from compute.api.servers.fields import CREATE
from compute.builtin.network.api.ports import UPDATE
from compute.builtin.network.api.schema import TAGS
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
def test_a_bad_dns_name_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match='dns_name'):
        UPDATE.read(NEWEST, {'port': {'dns_name': text}})


@pytest.mark.parametrize('text', ['', 'a', 'host-1', 'host-1.example.org', 'host.example.org.'])
def test_a_good_dns_name_is_taken(text: str) -> None:
    assert UPDATE.read(NEWEST, {'port': {'dns_name': text}})[0] == {'dns_name': text}


@pytest.mark.parametrize('length', [63, 255, 50000])
def test_a_bad_hostname_is_refused(length: int) -> None:
    with pytest.raises(Invalid):
        CREATE.read(NEWEST, {'server': {'name': 'x', 'flavorRef': '1', 'networks': 'none',
                                        'hostname': 'a' * length + '!'}})


_MANY: list[Any] = [[{'a': number} for number in range(2000)], [1, *(f'a{number}' for number in range(2000))],
                    [[number] for number in range(2000)], [0] * 50000]


@pytest.mark.parametrize('items', _MANY, ids=['objects', 'mixed', 'lists', 'equal'])
@pytest.mark.parametrize('key', ['tags', 'trusted_image_certificates', 'security_groups', 'block_device_mapping_v2',
                                 'hint'])
def test_a_long_list_of_bad_items_is_refused(key: str, items: list[Any]) -> None:
    server = {'name': 'x', 'flavorRef': '1', 'networks': 'none'}
    body = {'server': server, 'os:scheduler_hints': {'same_host': items}} if key == 'hint' else {
        'server': {**server, key: items}}
    with pytest.raises(Invalid):
        CREATE.read(NEWEST, body)


@pytest.mark.parametrize(('items', 'unique'), [
    ([1, True, 0, False, '1', None], True), ([1, 1.0], False), ([{'a': 1, 'b': 2}, {'b': 2.0, 'a': 1}], False),
    ([{'a': 1}, {'a': True}], True), ([[1, [2]], [1, [2]]], False), ([[], {}, ''], True), (['a', 1, 'a'], False),
    ([[['a', 1]], {'a': 1}], True)])
def test_items_are_unique_as_json_has_it(items: list[Any], unique: bool) -> None:
    validator = Validator(fields(all={'type': 'array', 'uniqueItems': True}))
    if unique:
        validator.check(NEWEST, {'all': items})
    else:
        with pytest.raises(Invalid, match='non-unique'):
            validator.check(NEWEST, {'all': items})


def test_the_items_of_a_list_that_is_too_long_are_not_looked_at() -> None:
    validator = Validator(fields(tags=TAGS))
    with pytest.raises(Invalid, match='too long'):
        validator.check(NEWEST, {'tags': ['a', 1] * 26})
    with pytest.raises(Invalid, match='non-unique'):
        validator.check(NEWEST, {'tags': ['a', 'a']})


def test_a_bad_item_is_named() -> None:
    with pytest.raises(Invalid, match='tags.1.*Value: 7'):
        Validator(fields(tags=TAGS)).check(NEWEST, {'tags': ['a', 7, 8]})


@pytest.mark.parametrize(('rule', 'good', 'bad'), [
    ({'minimum': 1}, (1, '1', '01', 1.5, 'x', True), (0, '0', '-5', '0.5', 0.5)),
    ({'maximum': 9}, (9, '9', -1), (10, '10', '9.5', '1' * 50)),
    ({'exclusiveMinimum': 0}, (1, '0.1', 0.1), (0, '0', '0.0', '-1')),
    ({'exclusiveMaximum': 9}, (8, '8'), (9, '9', '9.0'))])
def test_bounds_hold_for_numbers_in_strings(rule: dict[str, Any], good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    validator = Validator(fields(size=rule))
    for value in good:
        validator.check(NEWEST, {'size': value})
    for value in bad:
        with pytest.raises(Invalid, match='size'):
            validator.check(NEWEST, {'size': value})


@pytest.mark.parametrize(('name', 'good', 'bad'), [
    ('regex', ('a', '^a+$', '(?=a)'), ('', '[', '(a', '*', 'a{99999999999}', '(' * 255)),
    ('isotime', ('2026-11-20T12:00:00Z', '2026-11-20T12:00:00', '2026-11-20T12:00:00+01:00', '2026-11-20'),
     ('', 'x', '2026-13-20T12:00:00Z', '0001-01-01T00:00:00+23:00'))])
def test_formats(name: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    validator = Validator(fields(value={'type': 'string', 'format': name}))
    for value in good:
        validator.check(NEWEST, {'value': value})
    for value in bad:
        with pytest.raises(Invalid, match='value'):
            validator.check(NEWEST, {'value': value})
