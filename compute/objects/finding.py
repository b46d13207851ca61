"""What an audit found: things that must hold and do not, each with its proof, and what could not be looked at."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that must hold and does not.

    ``code`` is stable and says which rule it is. ``about`` names what it is about (server, host, operation, project,
    port, guest ...), ``evidence`` has the values that prove it. ``steady`` is the part of the proof that stays as it
    is while the rest of the cloud goes on: who looks twice compares it. ``fix`` says what fixing does, or who has to
    look where ``fixable`` is False; ``done`` what was done.
    """

    code: str
    message: str
    about: dict[str, str]
    evidence: dict[str, Any] = field(default_factory=dict)
    steady: str = ''
    fix: str = ''
    fixable: bool = False
    done: str | None = None

    @property
    def name(self) -> str:
        """The same for the same trouble in every audit."""
        return ' '.join((self.code, *(f'{kind}={key}' for kind, key in sorted(self.about.items()))))


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """What an audit could not look at: a host that did not answer, a neighbour that was down. It proves nothing."""

    what: str
    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """One audit. ``looked_at`` names the checks that were done; ``by`` who did it."""

    started_at: datetime.datetime
    finished_at: datetime.datetime
    by: str = ''
    looked_at: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    unseen: tuple[Unseen, ...] = ()

    @property
    def left(self) -> tuple[Finding, ...]:
        """What was found and is still so."""
        return tuple(finding for finding in self.findings if finding.done is None)
