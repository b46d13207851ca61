"""What a worker is asked: one interface for operations of all kinds, and queries.

The message of an operation is a hint; its row in the ledger is the truth.
"""

from __future__ import annotations

from typing import Any

from compute.objects.events import ExternalEvent
from compute.objects.instance import Instance
from compute.objects.residue import Residue
from compute.rpc.interface import Interface, call, cast


class Operations(Interface):
    """Operations of all kinds."""

    TOPIC = 'worker'
    NAME = 'operations'

    @cast()
    def begin(self, context: Any, *, operation_id: int, kind: str, instance_uuid: str) -> None:
        """Begin an operation whose next stages run on this host. What it needs comes with the answer to ``begin``.

        A host that does not know the kind reports it as failed, to be tried on another host.
        """
        raise NotImplementedError


class Consoles(Interface):
    """What a guest shows."""

    TOPIC = 'worker'
    NAME = 'consoles'

    @call(timeout=20)
    def console_output(self, context: Any, *, instance: Instance, lines: int | None) -> str:
        """Return the last ``lines`` pieces between newlines of the serial console (None: all that is kept)."""
        raise NotImplementedError


class Inspection(Interface):
    """What lies on a host, for the auditor. A worker of before this interface refuses it."""

    TOPIC = 'worker'
    NAME = 'inspection'

    @call(timeout=20)
    def residue(self, context: Any) -> Residue:
        """Return the guests and the files of guests that are on this host. :raises Unavailable: no hypervisor."""
        raise NotImplementedError


class Events(Interface):
    """News from the neighbours."""

    TOPIC = 'worker'
    NAME = 'events'

    @cast()
    def external_event(self, context: Any, *, event: ExternalEvent) -> None:
        """Wake whoever waits for this event; it may come before, after or never."""
        raise NotImplementedError
