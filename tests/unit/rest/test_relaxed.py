"""Bodies and queries that forget unknown keys, and answers that lose keys at every depth."""

from __future__ import annotations

import pytest

from compute.exception import Invalid
from compute.rest.fields import Drops, ListOf, Required, Since, Until, fields
from compute.rest.op import Body, Op, Query, Resource, View
from compute.rest.relaxed import relaxed
from compute.rest.versions import Version, window

OLD, NEW = Version(2, 1), Version(2, 9)
TABLE = fields(name=Required({'type': 'string'}), disks=ListOf(fields(size={'type': 'integer'})),
               meta={'type': 'object'}, late=Since('2.5', {'type': 'string'}))


def tolerant(op: Op) -> Op:
    return relaxed((Resource('r', (op,)),))[0].ops[0]


def test_bodies() -> None:
    op = Op('POST', '/x', body=Body('x', TABLE, beside={'hints': {'type': 'object'}}))
    sent = {'x': {'name': 'n', 'what': 1, 'disks': [{'size': 1, 'shape': 2}], 'meta': {'a': 1}, 'late': 'l'},
            'hints': {'b': 1}, 'more': 2}
    with pytest.raises(Invalid):
        op.body.read(OLD, sent)
    body, beside = tolerant(op).body.read(OLD, sent)
    assert body == {'name': 'n', 'disks': [{'size': 1}], 'meta': {'a': 1}}
    assert beside == {'hints': {'b': 1}}
    assert tolerant(op).body.read(NEW, sent)[0]['late'] == 'l'


@pytest.mark.parametrize('sent', [None, [], {}, {'x': 1}, {'x': {}}, {'x': {'name': 1}}])
def test_what_is_wrong_stays_wrong(sent: object) -> None:
    with pytest.raises(Invalid):
        tolerant(Op('POST', '/x', body=Body('x', TABLE))).body.read(OLD, sent)


def test_queries() -> None:
    op = Op('GET', '/x', query=Query(fields(a={'type': 'string'}), strict=window('2.1')))
    with pytest.raises(Invalid):
        op.query.read(OLD, [('a', '1'), ('b', '2')])
    assert tolerant(op).query.read(OLD, [('a', '1'), ('b', '2')]) == {'a': '1'}


def test_answers_lose_keys_at_every_depth() -> None:
    inner = fields(new=Since('2.5', {}), old=Until('2.3', {}))
    view = View('x', fields(top=Since('2.2', {}), one=inner, many=ListOf(inner)))
    full = {'new': 1, 'old': 2, 'own': 3}
    answer = {'x': {'top': 0, 'one': full, 'many': [full, full]}, 'links': 4}
    assert view.render(NEW, answer) == {
        'x': {'top': 0, 'one': {'new': 1, 'own': 3}, 'many': [{'new': 1, 'own': 3}] * 2}, 'links': 4}
    assert view.render(OLD, answer)['x'] == {'one': {'old': 2, 'own': 3}, 'many': [{'old': 2, 'own': 3}] * 2}
    assert view.render(OLD, {'x': {'one': None}}) == {'x': {'one': None}}
    assert not Drops()
