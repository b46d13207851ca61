"""The conductor's end of operations: one endpoint for all kinds, and the handlers of those that it decides on."""

from __future__ import annotations

import logging
from typing import Any

from compute import context as ctx
from compute import exception
from compute.conductor.conductor import Conductor
from compute.conductor.confirm_resize import ConductorConfirm
from compute.conductor.create import ConductorCreate
from compute.conductor.delete import ConductorDelete
from compute.conductor.handler import ConductorHandler
from compute.conductor.migrate import ConductorMigrate
from compute.conductor.resize import ConductorResize
from compute.conductor.revert_resize import ConductorRevert
from compute.objects.kinds import KINDS, Kind
from compute.objects.kinds.confirm_resize import CONFIRM_RESIZE
from compute.objects.kinds.create import CREATE
from compute.objects.kinds.delete import DELETE
from compute.objects.kinds.migrate import MIGRATE
from compute.objects.kinds.resize import RESIZE
from compute.objects.kinds.revert_resize import REVERT_RESIZE
from compute.rpc.conductor import Operations

LOG = logging.getLogger(__name__)
HANDLERS: dict[str, ConductorHandler] = {
    CREATE.name: ConductorCreate(), DELETE.name: ConductorDelete(), RESIZE.name: ConductorResize(),
    MIGRATE.name: ConductorMigrate(), CONFIRM_RESIZE.name: ConductorConfirm(), REVERT_RESIZE.name: ConductorRevert()}
"""The kinds of which the conductor decides something."""
_DEFAULT = ConductorHandler()


def known(kind: str) -> Kind[Any, Any]:
    """Return the declaration of a kind. :raises Unavailable: this release does not know it; a newer conductor may."""
    if kind not in KINDS:
        raise exception.Unavailable(f'operations of kind {kind!r} are not known to this release of the conductor',
                                    code='kind_unknown', hint='upgrade the conductors before the APIs')
    return KINDS[kind]


def handler_of(kind: str) -> ConductorHandler:
    """Return the handler of a kind. :raises Unavailable: this release does not know it; a newer conductor may."""
    return HANDLERS.get(known(kind).name, _DEFAULT)


class OperationsEndpoint(Operations):
    """Begins operations."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def begin(self, context: ctx.RequestContext, *, kind: str, operation_ids: tuple[int, ...]) -> None:
        try:
            handler_of(kind).begin(self._conductor, context, operation_ids)
        except exception.Unavailable as error:
            LOG.warning('operations %s wait for the reaper: %s', operation_ids, error.message)
