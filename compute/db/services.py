"""Daemons that report themselves, and leases of jobs that one of them at a time may do."""

from __future__ import annotations

import datetime
import uuid as uuids
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from compute import exception
from compute.db.tables import leases, services
from compute.health import DEGRADED, STATES, UP
from compute.objects.host import Service
from compute.objects.value import now

_FIELDS = ('id', 'uuid', 'host', 'binary', 'topic', 'zone', 'version', 'incarnation', 'disabled', 'disabled_reason',
           'forced_down', 'last_seen_at', 'created_at', 'updated_at')


def from_row(row: Any) -> Service:
    """Return the service of a row."""
    return Service(**{name: row._mapping[name] for name in _FIELDS}, health=health_of(row.problems))


def health_of(problems: Any) -> dict[str, Any]:
    """Return what a daemon said of itself. One of an older release said sentences only."""
    if isinstance(problems, list):
        return {'state': DEGRADED if problems else UP, 'release': None, 'reasons': [
            {'probe': 'daemon', 'state': DEGRADED, 'reason': str(text), 'value': None, 'unit': 's'}
            for text in problems]}
    return problems or {}


def sickness_of(problems: Any) -> int:
    """Return 0 for a daemon that is up, 1 for degraded, 2 for down, by its own word."""
    state = health_of(problems).get('state', UP)
    return STATES.index(state) if state in STATES else 0


def beat(connection: Connection, host: str, binary: str, topic: str, incarnation: str, zone: str = 'internal', *,
         disabled: bool = False, health: dict[str, Any] | None = None) -> Service:
    """Note that a daemon lives; a new one is added (``disabled`` as told). Its id stays when it starts anew.

    ``health`` is what it says of itself (``health.Report.to_wire``).
    """
    time = now()
    mine = sa.and_(services.c.host == host, services.c.binary == binary)
    values = {'incarnation': incarnation, 'last_seen_at': time, 'topic': topic, 'zone': zone,
              'problems': health or {}}
    if connection.execute(services.update().where(mine).values(**values)).rowcount == 0:
        try:
            with connection.begin_nested():
                connection.execute(services.insert().values(
                    uuid=str(uuids.uuid4()), host=host, binary=binary, disabled=disabled, created_at=time,
                    updated_at=time, **values))
        except IntegrityError:
            connection.execute(services.update().where(mine).values(**values))
    row = connection.execute(sa.select(services).where(mine)).one()
    return from_row(row)


def is_current(host: str, binary: str, incarnation: str) -> sa.ColumnElement[bool]:
    """Return the condition that this is the daemon's present start, for statements about what it does."""
    return sa.exists().where(services.c.host == host, services.c.binary == binary,
                             services.c.incarnation == incarnation)


def find(connection: Connection, host: str, binary: str) -> Service | None:
    """Return a daemon by host and binary, or None."""
    row = connection.execute(sa.select(services).where(services.c.host == host,
                                                       services.c.binary == binary)).first()
    return from_row(row) if row is not None else None


def get(connection: Connection, uuid: str) -> Service:
    """Return a daemon by uuid. :raises NotFound:"""
    row = connection.execute(sa.select(services).where(services.c.uuid == uuid)).first()
    if row is None:
        raise exception.NotFound(f'Service {uuid} could not be found.')
    return from_row(row)


def page(connection: Connection, *, host: str | None = None, binary: str | None = None) -> list[Service]:
    """Return all daemons, by host and binary where given."""
    query = sa.select(services).order_by(services.c.id)
    if host is not None:
        query = query.where(services.c.host == host)
    if binary is not None:
        query = query.where(services.c.binary == binary)
    return [from_row(row) for row in connection.execute(query)]


def update(connection: Connection, service_id: int, **values: Any) -> None:
    """Set columns of a service."""
    connection.execute(services.update().where(services.c.id == service_id).values(updated_at=now(), **values))


def touch(connection: Connection, host: str, binary: str, incarnation: str,
          health: dict[str, Any] | list[str]) -> bool:
    """Renew a heartbeat; False when another incarnation has taken over."""
    result = connection.execute(services.update().where(
        services.c.host == host, services.c.binary == binary, services.c.incarnation == incarnation).values(
        last_seen_at=now(), problems=health))
    return result.rowcount == 1


def delete(connection: Connection, service_id: int) -> None:
    """Remove a service."""
    connection.execute(services.delete().where(services.c.id == service_id))


def give_lease(connection: Connection, name: str, owner: str) -> None:
    """Give the right to do a job back, if it is the owner's."""
    connection.execute(leases.update().where(leases.c.name == name, leases.c.owner == owner).values(until=now()))


def take_lease(connection: Connection, name: str, owner: str, seconds: float) -> bool:
    """Take or renew the right to do a job for ``seconds``; False while another has it."""
    time = now()
    until = time + datetime.timedelta(seconds=seconds)
    mine = sa.or_(leases.c.owner == owner, leases.c.until < time)
    if connection.execute(leases.update().where(leases.c.name == name, mine).values(
            owner=owner, until=until)).rowcount:
        return True
    if connection.execute(sa.select(leases.c.name).where(leases.c.name == name)).first():
        return False
    try:
        with connection.begin_nested():
            connection.execute(leases.insert().values(name=name, owner=owner, until=until))
    except IntegrityError:
        return False
    return True
