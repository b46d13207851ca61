"""What SQL can say of a regular expression, and that it says the same."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.db import patterns

ENGINE = sa.create_engine('sqlite://')


@pytest.mark.parametrize(('text', 'pattern'), [
    ('', '%%'), ('web', '%web%'), ('^web', 'web%'), ('web$', '%web'), ('^web$', 'web'), ('^web.*7$', 'web%7'),
    ('w.b', '%w_b%'), (r'10\.0', '%10.0%'), ('100%_!', '%100!%!_!!%'), (r'a\$', '%a$%'), (r'^a\-b', 'a-b%'),
    ('a*', None), ('a+', None), ('a?', None), ('a{2}', None), ('[ab]', None), ('(a)', None), ('a|b', None),
    (r'\d', None), ('.+', None), ('a^', None), ('a$b', None), ('\\', None), ('.*', '%%%')])
def test_like(text: str, pattern: str | None) -> None:
    assert patterns.like(text) == pattern


@settings(max_examples=300, deadline=None)
@given(st.text('ab.%_!-*$^', max_size=6), st.text('abAB.%_!-', max_size=6))
def test_sql_finds_what_the_expression_finds(text: str, name: str) -> None:
    condition = patterns.condition(sa.literal(name), text)
    if condition is None:
        return
    with ENGINE.connect() as connection:
        found = bool(connection.execute(sa.select(condition)).scalar())
    assert found is (re.search(text, name, re.IGNORECASE) is not None)
