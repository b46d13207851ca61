"""compute-manage audit: what should not be, printed for people or as JSON, and fixed on demand."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

from compute.clients.network import RestNetworks
from compute.cmd.stores import named
from compute.conductor.audit import RULES
from compute.conductor.audit.auditor import Auditor, fixable
from compute.conductor.audit.look import Look
from compute.objects.finding import AuditReport, Finding, Unseen
from compute.objects.value import encode
from compute.rpc.transport import Rpc

CLEAN, WRONG, NOT_SEEN = 0, 3, 4


def run(conf: Any, arguments: argparse.Namespace) -> int:
    """Audit, print, and say with the exit status how it went."""
    only = set(arguments.only)
    if unknown := only - set(RULES):
        print(f'compute-manage: there is no finding {sorted(unknown)[0]!r}; there are {", ".join(sorted(RULES))}',
              file=sys.stderr)
        return 2
    fix = fixable([code for code, rule in RULES.items() if rule.fixable and (not only or code in only)]
                  if arguments.fix else ())
    pause = conf.conductor.audit_pause if arguments.pause is None else arguments.pause
    with _look(conf, everything=not arguments.no_hosts) as look:
        report = Auditor(look, _who()).run(pause, fix)
    shown = [finding for finding in report.findings if not only or finding.code in only]
    print(_as_json(report, shown) if arguments.json else _as_text(report, shown))
    if any(finding.done is None for finding in shown):
        return WRONG
    return NOT_SEEN if report.unseen else CLEAN


@contextlib.contextmanager
def _look(conf: Any, everything: bool) -> Iterator[Look]:
    """Lend a look at the store, and at the Network service and the hosts as well if they can be reached."""
    store, = named('compute')
    database, rpc = store.open(conf), Rpc(conf) if everything else None
    # The bus of a standalone controller is inside its process.
    alone = rpc is not None and (conf.transport_url or '').startswith('kombu+memory')
    look = Look(conf, database, RestNetworks(conf) if everything else None, None if alone else rpc)
    if alone:
        look.unseen.append(Unseen(what='hosts', name='all', reason=(
            'a standalone controller is reached by nobody else; it audits itself every [conductor] audit_interval')))
    try:
        yield look
    finally:
        database.dispose()
        if rpc is not None:
            rpc.close()


def _who() -> str:
    return f'{os.environ.get("SUDO_USER") or os.environ.get("USER") or os.getuid()}@{socket.gethostname()}'


def _as_json(report: AuditReport, findings: list[Finding]) -> str:
    return json.dumps({**encode(report), 'findings': encode(findings)}, indent=2)


def _as_text(report: AuditReport, findings: list[Finding]) -> str:
    lines = [line for finding in findings for line in _lines(finding)]
    lines += [f'not looked at: {each.what} {each.name}: {each.reason}' for each in report.unseen]
    left = sum(finding.done is None for finding in findings)
    seconds = (report.finished_at - report.started_at).total_seconds()
    lines.append(f'{len(findings)} findings, {left} of them not fixed; {len(report.unseen)} things not looked at; '
                 f'{", ".join(report.looked_at)} in {seconds:.1f} s')
    return '\n'.join(lines)


def _lines(finding: Finding) -> list[str]:
    evidence = ', '.join(f'{name}={value}' for name, value in encode(finding.evidence).items())
    return [f'{finding.code}: {finding.message}',
            *(f'    {kind}: {key}' for kind, key in finding.about.items()),
            f'    evidence: {evidence}',
            f'    {"done" if finding.done else "to fix it" if finding.fixable else "to do"}: '
            f'{finding.done or finding.fix}']
