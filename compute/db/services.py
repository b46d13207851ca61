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
from compute.objects.host import Service
from compute.objects.value import now

_FIELDS = ('id', 'uuid', 'host', 'binary', 'topic', 'zone', 'version', 'incarnation', 'disabled', 'disabled_reason',
           'forced_down', 'last_seen_at', 'created_at', 'updated_at')


def from_row(row: Any) -> Service:
    """Return the service of a row."""
    return Service(**{name: row._mapping[name] for name in _FIELDS})


def beat(connection: Connection, host: str, binary: str, topic: str, incarnation: str, zone: str = 'internal', *,
         disabled: bool = False, problems: tuple[str, ...] = ()) -> Service:
    """Note that a daemon lives; a new one is added (``disabled`` as told). Its id stays when it starts anew."""
    time = now()
    mine = sa.and_(services.c.host == host, services.c.binary == binary)
    values = {'incarnation': incarnation, 'last_seen_at': time, 'topic': topic, 'zone': zone,
              'problems': list(problems)}
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


def touch(connection: Connection, host: str, binary: str, incarnation: str, problems: tuple[str, ...]) -> bool:
    """Renew a heartbeat; False when another incarnation has taken over."""
    result = connection.execute(services.update().where(
        services.c.host == host, services.c.binary == binary, services.c.incarnation == incarnation).values(
        last_seen_at=now(), problems=list(problems)))
    return result.rowcount == 1


def delete(connection: Connection, service_id: int) -> None:
    """Remove a service."""
    connection.execute(services.delete().where(services.c.id == service_id))


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
