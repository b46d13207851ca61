"""What each kind of operation declares: its stages, what may be sent again, and how long it may take.

One file per kind. The conductor's reaper, the workers' recovery and the API's task_state read these tables; nobody else
decides what becomes of work whose owner is gone.
"""

from __future__ import annotations

import importlib

from compute.objects.kinds.kind import Kind, Stage

NAMES = ('create', 'delete', 'start', 'stop', 'reboot')


def kind_of(name: str) -> Kind:
    """Return the declaration of a kind. :raises ModuleNotFoundError: there is none."""
    kind: Kind = importlib.import_module(f'{__name__}.{name.replace("-", "_")}').KIND
    return kind


__all__ = ['NAMES', 'Kind', 'Stage', 'kind_of']
