"""Code that serves all kinds of operations reads their declarations: it does not compare a kind with a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from compute.objects.kinds import KINDS

ROOT = Path(__file__).parents[3] / 'compute'
ROOMS = ('conductor', 'control', 'worker', 'db')
OWNER = r'(operation|held|other|work\.operation|ref|row|running|opened|goes_on|first|each|found)'
COMPARES = re.compile(rf'\b{OWNER}\.kind *(==|!=|in |not in )')
NAMES_ONE = re.compile(rf'\bkind *(==|!=|in|not in) *\(?[\'"]({"|".join(KINDS)})[\'"]')
# Where a name may stand, and why.
ALLOWED = {
    ('worker/reboot.py', 'job.ref.kind == REBOOT.name'): 'one handler does both kinds of reboot',
    ('conductor/audit/capacity.py', "each.kind in ('wrong_host', 'no_claim')"): 'the kind of a finding of an audit',
    ('conductor/audit/capacity.py', "each.kind == 'usage'"): 'the kind of a finding of an audit',
}


def comparisons(text: str) -> Iterator[str]:
    """Yield the lines of a program that compare the kind of an operation."""
    for line in text.splitlines():
        if COMPARES.search(line) or NAMES_ONE.search(line):
            yield line.strip()


@pytest.mark.parametrize(('line', 'found'), [
    ("if operation.kind == 'delete':", True), ('if work.operation.kind != kind.DELETE:', True),
    ("if held.kind in ('create', 'delete'):", True), ('elif other.kind not in KNOWN:', True),
    ('if job.ref.kind == REBOOT.name:', True), ("if kind == 'create':", True),
    ("query.where(t.c.kind == 'stop')", True),
    ('kind.cancels(other.kind)', False), ("LOG.info('%s', operation.kind)", False), ('if kind.begins == HOST:', False),
    ('handler_of(operation.kind).begin()', False), ("if database.kind == 'sqlite':", False)])
def test_comparisons_are_found(line: str, found: bool) -> None:
    assert bool(list(comparisons(line))) is found


def test_nobody_compares_the_kind_of_an_operation_with_a_name() -> None:
    seen, allowed = [], set()
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob('*.py'))):
        where = str(path.relative_to(ROOT))
        for line in comparisons(path.read_text(encoding='utf-8')):
            why = {entry for entry in ALLOWED if entry[0] == where and entry[1] in line}
            allowed |= why
            if not why:
                seen.append(f'{where}: {line}')
    assert not seen, 'declare it in compute/objects/kinds/kind.py instead'
    assert allowed == ALLOWED.keys(), 'remove what is no longer there'
