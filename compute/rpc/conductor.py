"""What the API asks of the conductor, and how hosts report. Hosts have no other way to the database."""

from __future__ import annotations

from typing import Any

from compute.objects.host import Inventory
from compute.objects.instance import Instance
from compute.objects.operation import InstanceUpdate, OperationError, StageBegan, Work
from compute.objects.registration import HostReport, Registration
from compute.rpc.interface import Interface, call, cast


class Operations(Interface):
    """Operations of all kinds."""

    TOPIC = 'conductor'
    NAME = 'operations'

    @cast()
    def begin(self, context: Any, *, kind: str, operation_ids: tuple[int, ...]) -> None:
        """Begin operations of one kind at the conductor. Those of one request are placed together."""
        raise NotImplementedError


class NetworkInfo(Interface):
    """Network information of servers."""

    TOPIC = 'conductor'
    NAME = 'network_info'

    @cast()
    def refresh(self, context: Any, *, servers: tuple[str, ...]) -> None:
        """Refresh the ports of these servers soon. The periodic refresh compensates for lost requests."""
        raise NotImplementedError


class Reports(Interface):
    """How a host says what it does. Every call names host and incarnation; old incarnations are refused (Stale).

    Each takes milliseconds and may be repeated, which callers do: a short timeout is what an answer that got lost with
    the broker costs. A heartbeat that is lost must not cost the leases it would have renewed, so its timeout is the
    shortest.
    """

    TOPIC = 'conductor'
    NAME = 'reports'

    @call(timeout=15)
    def register(self, context: Any, *, report: HostReport, inventory: Inventory) -> Registration:
        """Say that a worker has started. Its predecessor's reports are refused from now on."""
        raise NotImplementedError

    @call(timeout=5)
    def heartbeat(self, context: Any, *, host: str, incarnation: str, operations: tuple[int, ...],
                  problems: tuple[str, ...] = (), health: dict[str, Any] | None = None) -> tuple[int, ...]:
        """Say that the worker lives and renew the leases of its operations. Return those that are no longer its.

        ``health`` is what it says of itself; ``problems`` the same in sentences, for conductors of an older release.
        """
        raise NotImplementedError

    @call(timeout=15)
    def inventory(self, context: Any, *, host: str, incarnation: str, inventory: Inventory) -> None:
        """Say what the host has now."""
        raise NotImplementedError

    @call(timeout=15)
    def begin(self, context: Any, *, host: str, incarnation: str, operation_id: int) -> Work:
        """Lease an operation, and note that the first stage of its leg begins, unless the leg is to be undone.

        The answer shows the stage before, and in ``noted`` the one that begins.
        :raises Stale: it ended, was cancelled, or is held by another.
        """
        raise NotImplementedError

    @call(timeout=15)
    def progress(self, context: Any, *, host: str, incarnation: str, operation_id: int, stage: str,
                 update: InstanceUpdate | None = None, stages: tuple[StageBegan, ...] = ()) -> None:
        """Say that a stage begins (the one before it succeeded). :raises Stale: stop, somebody cancelled it.

        ``stages``: all that were not told yet, ``stage`` the last of them. ``finish`` and ``fail`` take them too.
        """
        raise NotImplementedError

    @call(timeout=15)
    def finish(self, context: Any, *, host: str, incarnation: str, operation_id: int, leg: int,
               update: InstanceUpdate, carry: dict[str, Any] | None = None,
               stages: tuple[StageBegan, ...] = (), undone: bool = False) -> None:
        """Report that a leg succeeded, or with ``undone`` that it is undone. The next place goes on; after the last one
        the operation ends.

        ``carry``: a value of the kind's carry type, encoded. A report that is repeated or late changes nothing.
        """
        raise NotImplementedError

    @call(timeout=15)
    def fail(self, context: Any, *, host: str, incarnation: str, operation_id: int, error: OperationError,
             update: InstanceUpdate | None = None, stages: tuple[StageBegan, ...] = ()) -> None:
        """End the host's part of an operation badly; the conductor decides what becomes of it."""
        raise NotImplementedError

    @call(timeout=15)
    def observed(self, context: Any, *, host: str, incarnation: str, power_states: dict[str, int],
                 after: dict[str, int] | None = None) -> tuple[str, ...]:
        """Say how guests are, by uuid, that changed outside of any operation.

        ``after``: the newest operation on each of them that this worker had ended before it looked, if any. What
        was seen before an operation that is in the ledger by now says nothing of the guest after it: it is ignored.
        Return the uuids of those that should be off and are to be stopped again, and of those whose servers are gone
        from this host: they were deleted, or built elsewhere, while this worker was not heard.
        """
        raise NotImplementedError

    @call(timeout=60)
    def instances(self, context: Any, *, host: str, incarnation: str) -> list[Instance]:
        """Return every server that is on this host."""
        raise NotImplementedError
