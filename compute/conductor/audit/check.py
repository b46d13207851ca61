"""What a check of the auditor is.

A check states rules of the house, finds what breaks them, and may know how to mend that. ``find`` runs twice, with a
pause between; only what shows both times with the same ``steady`` part is believed. Prefer one statement that joins
all that has to agree: every database shows a statement one moment, so what is written in one transaction never looks
broken. What lies on hosts or at a neighbour is another moment; where an operation goes on with a server, nothing of it
is judged: the ledger sees to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from compute.conductor.audit.look import Look
from compute.objects.finding import Finding


@dataclass(frozen=True)
class Rule:
    """``means`` in one sentence; ``fix`` says what fixing does, or what to look at where it is not ``fixable``."""

    means: str
    fix: str
    fixable: bool = True


class Check:
    """One file, one subject. ``needs`` names what must answer beside the store: network, hosts, or both."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    rules: ClassVar[dict[str, Rule]]

    def find(self, look: Look) -> Iterable[Finding]:
        """Return what breaks the rules. :raises ComputeError: it cannot be seen now."""
        raise NotImplementedError

    def fix(self, look: Look, finding: Finding) -> str:
        """Mend it in one transaction that looks again, and return what was done; empty when it is so no more.

        :raises ComputeError: why it is not done now.
        """
        raise NotImplementedError

    def finding(self, code: str, message: str, *, steady: Any = '', about: dict[str, Any],
                **evidence: Any) -> Finding:
        """Return a finding of one of this check's rules."""
        rule = self.rules[code]
        return Finding(code=code, message=message, steady=str(steady), fix=rule.fix, fixable=rule.fixable,
                       about={kind: str(key) for kind, key in about.items() if key is not None}, evidence=evidence)
