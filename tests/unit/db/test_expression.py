"""Expressions of strangers: the same answers as ``re`` gives, and no way to keep a process busy."""

from __future__ import annotations

import re

import pytest

from compute.db.expression import Expression

TEXTS = ('', 'a', 'web-1', 'WEB-01', 'db.example', 'aXb', 'foo bar', '10.0.0.12', '10.0.1.12', 'aaab', 'b' * 40, 'ä_9')
SAME = ('', 'web', '^web', '1$', '^$', 'a|b', '(web|db)[-.]', r'\d+', r'\w+-\w+$', '[^a-z]', 'a{2,3}b', 'a{2}', 'a??b',
        r'^10\.0\.0\.', '.*b', '(a+)+b', 'x?y?z?', r'[\d.]+$', '(?:ab|a)*b', r'\D', '[A-Z]', 'o{2} ', '^(|a)$',
        '(?i)web', r'\S\s\S', 'b{39,}$', '[^\\w]')


@pytest.mark.parametrize('pattern', SAME)
@pytest.mark.parametrize('fold', [False, True])
def test_it_finds_what_re_finds(pattern: str, fold: bool) -> None:
    expression, wanted = Expression(pattern, ignore_case=fold), re.compile(pattern, re.IGNORECASE if fold else 0)
    for text in TEXTS:
        assert expression.search(text) == (wanted.search(text) is not None), (pattern, text)


@pytest.mark.parametrize('pattern', ['(a+)+$', '^(a|a)*$', '(a|aa)+$', 'a?' * 60 + 'a' * 60 + '$', '.*.*.*.*.*x',
                                     '(.*)(.*)(.*)(.*)(.*)[0-9]$'])
def test_no_expression_keeps_it_busy(pattern: str) -> None:
    assert not Expression(pattern).search('a' * 254 + '!')


@pytest.mark.parametrize('pattern', ['(', '[a', '*', 'a{1000}', '((a{20}){20}){20}', '(?:(?:){1000}){1000}', r'(a)\1',
                                     '(?=a)', '(?<!a)b', 'x' * 256, r'\bweb', '(?:){999999999}', 'a{0,99999}'])
def test_what_is_no_expression_or_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match='.'):
        Expression(pattern)
