"""A soak as a text for people: requests and answers, faults, operations, and what each process held."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable

from tests.endurance.soak.engine import USERS, Soak
from tests.endurance.soak.judge import growth, rule_of
from tests.endurance.soak.watch import Life


def text(soak: Soak, wrong: list[str]) -> str:
    """Return the whole report."""
    head = f'Soak of {soak.seconds / 60:.1f} minutes, {USERS} users, seed {soak.seed}'
    parts = [head, _requests(soak), _faults(soak), _operations(soak), _processes(soak), _verdict(soak, wrong)]
    return '\n\n'.join(parts) + '\n'


def _table(rows: Iterable[Iterable[object]]) -> str:
    """Return rows in columns; the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return '\n'.join('  '.join([row[0].ljust(wide[0]), *(cell.rjust(width) for cell, width in zip(
        row[1:], wide[1:], strict=True))]) for row in cells)


def _requests(soak: Soak) -> str:
    answers: dict[str, dict[str, int]] = defaultdict(dict)
    for (request, answer), count in soak.journal.counts.items():
        answers[request][answer] = count
    rows = [(request, sum(found.values()), found.pop('ok', 0), ', '.join(
        f'{count} x {answer}' for answer, count in sorted(found.items())) or '-')
        for request, found in sorted(answers.items())]
    total = ('all', sum(row[1] for row in rows), sum(row[2] for row in rows), '')
    return _table([('request', 'sent', 'good', 'else'), *rows, total])


def _faults(soak: Soak) -> str:
    return _table([('fault', 'at', 'lasted'), *((
        one.trouble.name, f'{one.begin:%H:%M:%S}', f'{(one.end - one.begin).total_seconds():.1f} s')
        for one in soak.happened)])


def _operations(soak: Soak) -> str:
    slowest = ', '.join(f'{kind} {seconds:.1f} s' for kind, seconds in sorted(soak.journal.slowest.items()))
    return (f'operations: {sum(soak.journal.asked.values())} accepted, {len(soak.journal.missed)} without the wished '
            f'end, {soak.seen.most_open} open at once at most, the oldest open one {soak.seen.oldest:.1f} s old\n'
            f'slowest as users saw it: {slowest}\nsettled {soak.settled_after:.1f} s after the load')


def _processes(soak: Soak) -> str:
    head = ('process', 'lived s', 'first MiB', 'last', 'most', 'pss', 'grew', 'threads', 'files', 'broker', 'database',
            'http', 'closed')
    rows = [_process(soak, life) for life in sorted(soak.seen.lives, key=lambda life: (life.name, life.pid))]
    rule = rule_of(soak.seconds)
    return (f'{_table([head, *rows])}\nmemory is private MiB; counts are first/last/most. Judged are processes of '
            f'{rule.warm + rule.least:.0f} s and more, from {rule.warm:.0f} s after their start: medians of the first '
            f'and the last {rule.window:.0f} s, memory may grow by {rule.memory:.0%}.')


def _process(soak: Soak, life: Life) -> list[str]:
    samples = life.samples
    memory = [sample.private for sample in samples]
    judged = growth(life, rule_of(soak.seconds))
    grew = f'{judged[0].last / judged[0].first - 1:+.1%}' if judged else '-'
    row = [life.name, f'{samples[-1].at - samples[0].at:.0f}', f'{memory[0]:.0f}', f'{memory[-1]:.0f}',
           f'{max(memory):.0f}', f'{statistics.median(sample.pss for sample in samples):.0f}', grew]
    for what in ('threads', 'files', 'broker', 'database', 'http', 'closed'):
        counts = [getattr(sample, what) for sample in samples]
        row.append(f'{counts[0]}/{counts[-1]}/{max(counts)}')
    return row


def _verdict(soak: Soak, wrong: list[str]) -> str:
    seconds = ', '.join(soak.audit.get('looked_at', ()))
    audit = f'compute-manage audit: status {soak.audited}, looked at {seconds or "nothing"}'
    return '\n'.join([audit, f'{len(wrong)} things are wrong' if wrong else 'nothing is wrong', *wrong])
