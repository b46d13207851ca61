"""Asking the scheduler for a host, for every kind of operation that needs one."""

from __future__ import annotations

import logging

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception
from compute.conductor.conductor import Conductor
from compute.db import instances
from compute.objects.instance import Instance
from compute.objects.operation import Work
from compute.objects.request_spec import RequestSpec, Selection
from compute.rpc.scheduler import Select

LOG = logging.getLogger(__name__)


def select(conductor: Conductor, context: ctx.RequestContext, work: Work, spec: RequestSpec) -> Selection | None:
    """Return a host that was claimed for a server; None if that waits, or the server was deleted.

    What waits is given back: the reaper comes back to it.
    :raises NoValidHost: no host fits, with the reasons. :raises Stale: another conductor goes on with the operation.
    """
    name = work.operation.stage or 'scheduling'
    try:
        with conductor.stage(context, work.operation, name):
            selection: Selection = conductor.rpc.client(Select).select(context, spec=spec)
        return selection
    except exception.NotFound:
        return None  # deleted meanwhile
    except exception.Stale:
        raise
    except (exception.Unavailable, exception.Conflict) as error:
        LOG.warning('%s: scheduling waits: %s', work.operation.ref, error.message)
    except exception.NoValidHost as error:
        if not _all_down(error) or conductor.hearing.can_judge():
            raise
        LOG.warning('%s: scheduling waits until hosts report again: %s', work.operation.ref, error.message)
    conductor.release(work.operation, retry_in=conductor.conf.conductor.reaper_interval)
    return None


def _all_down(error: exception.ComputeError) -> bool:
    """Return whether no host fits because hosts are down, as they seem to be after an outage of broker or database."""
    rejections = error.details.get('rejections') or ()
    return any(each['filter'] == 'ComputeFilter' and each['reason'].startswith('is down') for each in rejections)


def hosts_of_hint(connection: Connection, instance: Instance, hint: str) -> tuple[str, ...] | None:
    """Return the hosts of the servers of the same project that a hint names; None where there is no such hint."""
    named = instance.named_by(hint)
    if named is None:
        return None
    found = instances.of_uuids(connection, named).values()
    return tuple(sorted({each.host for each in found if each.host and each.project_id == instance.project_id}))
