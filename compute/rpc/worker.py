"""What is asked of a worker: one interface for each operation. All but console output are hints; the row is the
truth."""

from __future__ import annotations

from typing import Any

from compute.objects.events import ExternalEvent
from compute.objects.instance import Instance
from compute.objects.operation import Work
from compute.objects.residue import Residue
from compute.rpc.interface import Interface, call, cast


class Build(Interface):
    """Making a guest."""

    TOPIC = 'worker'
    NAME = 'build'

    @cast()
    def build(self, context: Any, *, work: Work) -> None:
        """Begin a ``create`` that was claimed for this host."""
        raise NotImplementedError


class Delete(Interface):
    """Removing a guest."""

    TOPIC = 'worker'
    NAME = 'delete'

    @cast()
    def delete(self, context: Any, *, work: Work) -> None:
        """Begin a ``delete``; a build of the same server that still runs here gives way."""
        raise NotImplementedError


class Power(Interface):
    """Starting and stopping."""

    TOPIC = 'worker'
    NAME = 'power'

    @cast()
    def start(self, context: Any, *, work: Work) -> None:
        """Begin a ``start``."""
        raise NotImplementedError

    @cast()
    def stop(self, context: Any, *, work: Work) -> None:
        """Begin a ``stop``."""
        raise NotImplementedError


class Reboot(Interface):
    """Rebooting, soft or hard."""

    TOPIC = 'worker'
    NAME = 'reboot'

    @cast()
    def reboot(self, context: Any, *, work: Work) -> None:
        """Begin a ``reboot``; ``args['type']`` says which."""
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
