"""The finding of a check: level, observation and remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oslo_config import cfg

from compute.cmd.doctor.machine import Machine

OK, WARNING, FAILURE, UNKNOWN = 'ok', 'warning', 'failure', 'unknown'


@dataclass(frozen=True)
class Diagnosis:
    """``found`` is a sentence; ``remedy`` a command or a sentence, empty where nothing is to be done.

    WARNING: it works, slowly or not for long. FAILURE: it does not work. UNKNOWN: this machine does not tell.
    """

    level: str
    found: str
    remedy: str = ''


def fine(found: str) -> Diagnosis:
    """Return that nothing is to be done."""
    return Diagnosis(OK, found)


def warning(found: str, remedy: str) -> Diagnosis:
    """Return a warning: it works, but slowly or not for long."""
    return Diagnosis(WARNING, found, remedy)


def failure(found: str, remedy: str) -> Diagnosis:
    """Return a failure: it does not work."""
    return Diagnosis(FAILURE, found, remedy)


def unknown(found: str, remedy: str = '') -> Diagnosis:
    """Return a finding that could not be determined."""
    return Diagnosis(UNKNOWN, found, remedy)


@dataclass(frozen=True)
class Check:
    """One subject. ``host``: only where guests run under libvirt."""

    name: str
    look: Callable[[Machine, cfg.ConfigOpts], Iterator[Diagnosis]]
    host: bool = False
