"""Runs the checks: looks, waits, looks again at what seemed wrong, and fixes what it was asked to fix."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Collection, Sequence

from compute import exception
from compute.conductor.audit import CHECKS, RULES
from compute.conductor.audit.check import Check
from compute.conductor.audit.look import Look
from compute.objects.finding import AuditReport, Finding, Unseen
from compute.objects.value import now

LOG = logging.getLogger(__name__)


class Auditor:
    """``by`` is told in the report and in the log of what was fixed. ``wait`` lets the pause between looks pass."""

    def __init__(self, look: Look, by: str = '', checks: Sequence[type[Check]] = CHECKS,
                 wait: Callable[[float], object] = time.sleep) -> None:
        self._first, self._by, self._wait = look, by, wait
        self._checks = [check() for check in checks if check.needs <= look.can_ask]

    def run(self, pause: float, fix: Collection[str] = ()) -> AuditReport:
        """Audit, with ``pause`` seconds between the looks, and fix findings whose code is in ``fix``."""
        started, look = now(), self._first
        suspected = {check: _named(self._find(check, look)) for check in self._checks}
        confirmed: list[tuple[Check, Finding]] = []
        if any(suspected.values()):
            self._wait(pause)
            look = look.again()
            for check, first in suspected.items():
                if first:
                    second = self._find(check, look)
                    confirmed += [(check, each) for each in second if _same(first.get(each.name), each)]
        findings = [self._fixed(check, look, each) if each.code in fix else each for check, each in confirmed]
        return AuditReport(started_at=started, finished_at=now(), by=self._by, findings=tuple(findings),
                           looked_at=tuple(check.name for check in self._checks),
                           unseen=tuple(dict.fromkeys(look.unseen)))

    @staticmethod
    def _find(check: Check, look: Look) -> list[Finding]:
        """Look for what breaks a check's rules; what cannot be seen is noted as not looked at."""
        try:
            return list(check.find(look))
        except exception.ComputeError as error:
            reason = error.message
        except Exception as error:  # one that breaks must not keep us from the others
            LOG.exception('audit: the check %s failed', check.name)
            reason = f'it failed with {type(error).__name__}, see the log'
        look.unseen.append(Unseen(what='check', name=check.name, reason=reason))
        return []

    def _fixed(self, check: Check, look: Look, finding: Finding) -> Finding:
        try:
            done = check.fix(look, finding)
        except Exception as error:
            known = isinstance(error, exception.ComputeError)
            LOG.error('audit: %s could not be fixed: %s', finding.name, getattr(error, 'message', error),
                      exc_info=not known)
            return finding
        LOG.warning('audit by %s: %s: %s. Fixed: %s', self._by, finding.name, finding.message,
                    done or 'nothing was left to do')
        return dataclasses.replace(finding, done=done or 'nothing was left to do')


def fixable(codes: Collection[str]) -> frozenset[str]:
    """Return codes that may be fixed. :raises Invalid: one is unknown, or not to be fixed by a program."""
    for code in codes:
        if code not in RULES or not RULES[code].fixable:
            known = ', '.join(sorted(name for name, rule in RULES.items() if rule.fixable))
            raise exception.Invalid(f'{code!r} is not a finding that can be fixed; those are {known}',
                                    code='unknown_finding')
    return frozenset(codes)


def _named(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def _same(first: Finding | None, second: Finding) -> bool:
    return first is not None and first.steady == second.steady
