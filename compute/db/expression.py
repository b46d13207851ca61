"""Regular expressions of strangers, matched in a time that grows only with the length of the text.

``re`` backtracks: ``(a+)+$`` on a name of thirty letters keeps a process busy for minutes, and whoever may list servers
may send that. Here an expression becomes an automaton whose possible states are followed all at once. What cannot be
said by one (references back, looking around) is refused, and so is what would make it too large.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

Test = Callable[[str], bool]
MAX_LENGTH, MAX_NODES, _MAX_STEPS, _MAX_KEPT = 255, 500, 5000, 4000
_CATEGORIES: dict[Any, Test] = {
    sre.CATEGORY_DIGIT: str.isdecimal, sre.CATEGORY_NOT_DIGIT: lambda char: not char.isdecimal(),
    sre.CATEGORY_SPACE: str.isspace, sre.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    sre.CATEGORY_WORD: lambda char: char.isalnum() or char == '_',
    sre.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == '_')}
_BEGIN, _END = (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING), (sre.AT_END, sre.AT_END_STRING)
_MATCH = 0


class Expression:
    """A compiled expression. :raises ValueError: it is none, too long or too large, or beyond what is understood."""

    def __init__(self, text: str, *, ignore_case: bool = False) -> None:
        if len(text) > MAX_LENGTH:
            raise ValueError(f'it has {len(text)} characters, the limit is {MAX_LENGTH}')
        try:
            parsed = _parser.parse(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from None
        self._fold = ignore_case or bool(parsed.state.flags & re.IGNORECASE)
        self._nodes: list[tuple[str, Any, Any]] = [('match', None, None)]
        self._steps = 0
        start = self._sequence(parsed, _MATCH)
        self._first = self._closure((start,), begin=True)
        self._again = self._closure((start,))
        self._known: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def search(self, text: str) -> bool:
        """Tell whether it fits anywhere in ``text``. ``$`` is the end of the text."""
        current = self._first
        for char in text:
            if _MATCH in current:
                return True
            current = self._next(current, char)
        return _MATCH in self._closure(current, begin=not text, end=True)

    # -- following --

    def _next(self, current: frozenset[int], char: str) -> frozenset[int]:
        found = self._known.get((current, char))
        if found is None:
            if len(self._known) >= _MAX_KEPT:
                self._known.clear()
            moved = [node[2] for node in map(self._nodes.__getitem__, current) if node[0] == 'char' and node[1](char)]
            found = self._known[current, char] = self._closure(moved) | self._again
        return found

    def _closure(self, nodes: Iterable[int], *, begin: bool = False, end: bool = False) -> frozenset[int]:
        """Return all nodes that can be reached without a character."""
        found: set[int] = set()
        waiting = list(nodes)
        while waiting:
            number = waiting.pop()
            if number in found:
                continue
            found.add(number)
            kind, what, then = self._nodes[number]
            if kind == 'split':
                waiting.extend(then)
            elif (kind == 'begin' and begin) or (kind == 'end' and end):
                waiting.append(then)
        return frozenset(found)

    # -- making --

    def _add(self, kind: str, what: Any, then: Any) -> int:
        if len(self._nodes) >= MAX_NODES:
            raise ValueError('it is too large')
        self._nodes.append((kind, what, then))
        return len(self._nodes) - 1

    def _sequence(self, items: Any, then: int) -> int:
        for operator, what in reversed(list(items)):
            then = self._one(operator, what, then)
        return then

    def _one(self, operator: Any, what: Any, then: int) -> int:
        self._steps += 1
        if self._steps > _MAX_STEPS:  # repetitions of nothing make no nodes
            raise ValueError('it is too large')
        if operator in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, body = what
            return self._repeat(least, most, body, then)
        if operator is sre.SUBPATTERN:
            return self._sequence(what[3], then)
        if operator is sre.BRANCH:
            return self._add('split', None, [self._sequence(branch, then) for branch in what[1]])
        if operator is sre.AT and what in _BEGIN + _END:
            return self._add('begin' if what in _BEGIN else 'end', None, then)
        return self._add('char', self._test(operator, what), then)

    def _repeat(self, least: int, most: int, body: Any, then: int) -> int:
        if most is sre.MAXREPEAT:
            loop = self._add('split', None, [])
            self._nodes[loop] = ('split', None, [self._sequence(body, loop), then])
            then = loop
        else:
            for _ in range(min(most - least, _MAX_STEPS)):
                self._steps += 1
                then = self._add('split', None, [self._sequence(body, then), then])
        for _ in range(min(least, _MAX_STEPS)):
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise ValueError('it is too large')
            then = self._sequence(body, then)
        return then

    def _test(self, operator: Any, what: Any) -> Test:
        if operator is sre.ANY:
            return lambda char: char != '\n'
        if operator is sre.NOT_LITERAL:
            test = self._folded(lambda char: char == chr(what))
            return lambda char: not test(char)
        if operator is not sre.IN:
            return self._folded(self._member(operator, what))
        negated = what[0][0] is sre.NEGATE
        members = [self._member(*each) for each in what[negated:]]
        inside = self._folded(lambda char: any(member(char) for member in members))
        return (lambda char: not inside(char)) if negated else inside

    @staticmethod
    def _member(operator: Any, what: Any) -> Test:
        if operator is sre.LITERAL:
            return chr(what).__eq__
        if operator is sre.RANGE:
            return lambda char: what[0] <= ord(char) <= what[1]
        if operator is sre.CATEGORY and what in _CATEGORIES:
            return _CATEGORIES[what]
        raise ValueError(f'{str(operator).lower()} is not possible here')

    def _folded(self, test: Test) -> Test:
        if not self._fold:
            return test
        return lambda char: test(char) or any(len(other) == 1 and test(other) for other in (char.lower(), char.upper()))
