"""compute-status check: prints the findings of the doctor as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import Any

from compute.cmd.doctor import CHECKS
from compute.cmd.doctor.diagnosis import FAILURE, OK, UNKNOWN, WARNING, Check, Diagnosis, unknown
from compute.cmd.doctor.machine import Machine

MARKS = {OK: 'ok', WARNING: 'WARN', FAILURE: 'FAIL', UNKNOWN: '?'}


def run(conf: Any, only: Collection[str], as_json: bool, machine: Machine | None = None) -> int:
    """Print the findings. Return 0, 1 with a warning, 2 with a failure."""
    found = list(diagnose(conf, only, machine or Machine()))
    if as_json:
        print(json.dumps([{'check': name, **asdict(each)} for name, each in found], indent=2))
    else:
        print('\n'.join(line for name, each in found for line in _lines(name, each)))
    levels = {each.level for _, each in found}
    return 2 if FAILURE in levels else 1 if WARNING in levels else 0


def diagnose(conf: Any, only: Collection[str], machine: Machine) -> Iterator[tuple[str, Diagnosis]]:
    """Yield the findings of all checks, or of those in ``only``, with the check's name."""
    for check in CHECKS:
        if (only and check.name not in only) or (check.host and conf.virt.driver != 'libvirt'):
            continue
        for each in _safely(check, machine, conf):
            yield check.name, each


def _safely(check: Check, machine: Machine, conf: Any) -> Iterator[Diagnosis]:
    """Yield the findings of a check. A check that fails is a finding itself, and the others still run."""
    try:
        yield from check.look(machine, conf)
    except Exception as error:
        yield unknown(f'the check itself failed: {type(error).__name__}: {error}', 'report it')


def _lines(name: str, each: Diagnosis) -> Iterator[str]:
    yield f'{MARKS[each.level]:4}  {name}: {each.found}'
    if each.remedy:
        yield f'      remedy: {each.remedy}'
