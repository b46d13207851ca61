"""Moves of servers between hosts and sizes: the list of all, and the live ones of a server that are in progress."""

from __future__ import annotations

import datetime
from typing import Any

from oslo_utils import timeutils

from compute.api.schema import STRING, TIME, UUID
from compute.api.times import precise
from compute.db import instances, migrations
from compute.db.migrations import WantedMigrations
from compute.exception import Forbidden, Invalid, NotFound
from compute.objects.instance import Instance
from compute.objects.migration import LIVE_IN_PROGRESS, LIVE_MIGRATION, Migration
from compute.policies import migrations as policy
from compute.rest.call import Call
from compute.rest.fields import Since, fields
from compute.rest.op import Op, Query, Resource, View
from compute.rest.paging import LIMIT, next_links, page_of
from compute.rest.versions import window

_HOSTS = ('source_compute', 'source_node', 'dest_compute', 'dest_node', 'dest_host')
_LISTED = Query(fields({
    'changes-since': Since('2.59', TIME), 'changes-before': Since('2.66', TIME), 'hidden': STRING, 'host': STRING,
    'instance_uuid': STRING, 'source_compute': STRING, 'status': STRING, 'migration_type': STRING,
    'limit': Since('2.59', LIMIT), 'marker': Since('2.59', UUID), 'user_id': Since('2.80', STRING),
    'project_id': Since('2.80', STRING)}), strict=window('2.59'))
_SHOWN = fields(uuid=Since('2.59', STRING), migration_type=Since('2.23', STRING), links=Since('2.23', {}),
                user_id=Since('2.80', STRING), project_id=Since('2.80', STRING))
_OF_SERVER = fields(uuid=Since('2.59', STRING), user_id=Since('2.80', STRING), project_id=Since('2.80', STRING))


def index(call: Call) -> Any:
    """List migrations, newest first: of all projects for administrators, else of the caller's own."""
    query, everywhere, named = call.query, call.may(policy.ALL_PROJECTS), call.may(policy.HOST)
    if not named and ('host' in query or 'source_compute' in query):
        raise Forbidden('Only administrators may filter migrations by host', code='policy')
    own = None if everywhere else call.context.project_id
    if own is not None and query.get('project_id', own) != own:
        raise Forbidden('Only administrators may list the migrations of other projects', code='policy')
    since, before = _time(call, 'changes-since'), _time(call, 'changes-before')
    if since and before and since > before:
        raise Invalid('The value of changes-since must be less than or equal to changes-before.')
    wanted = WantedMigrations(
        project_id=own or query.get('project_id'), user_id=query.get('user_id'), type=query.get('migration_type'),
        instance_uuid=query.get('instance_uuid'), host=query.get('host'), source_host=query.get('source_compute'),
        statuses=(query['status'],) if 'status' in query else None, since=since, before=before)
    page = page_of(call, call.app.conf.api.max_limit)
    found: list[Migration] = []
    if query.get('hidden', '').lower() not in ('1', 't', 'true', 'on', 'y', 'yes'):  # none is hidden here
        found = call.app.db.read(lambda connection: migrations.page(connection, wanted, page.limit, page.marker))
    links = next_links(call, 'migrations', '/os-migrations', found, page, found[-1].uuid if found else None)
    return {'migrations': [_view(call, each, named) for each in found], **(links if call.facts['pages'] else {})}


def load(call: Call) -> Instance:
    """Return the server of the URL."""
    return call.app.db.read(lambda connection: instances.get(connection, call.path['server_id'], call.project_scope))


def of_server(call: Call) -> Any:
    """List the live migrations of a server that are in progress."""
    wanted = WantedMigrations(instance_uuid=call.target.uuid, type=LIVE_MIGRATION, statuses=LIVE_IN_PROGRESS)
    found = call.app.db.read(lambda connection: migrations.page(connection, wanted, call.app.conf.api.max_limit))
    named = call.may(policy.OF_SERVER_HOST)
    return {'migrations': [_live(each, named) for each in found]}


def show(call: Call) -> Any:
    """Show a live migration of a server that is in progress."""
    text = call.path['migration_id']
    found = call.app.db.read(lambda connection: migrations.find(connection, call.target.uuid, int(text))) if (
        text.isdecimal() and len(text) <= 18) else None
    if found is None or found.type != LIVE_MIGRATION or found.status not in LIVE_IN_PROGRESS:
        raise NotFound(f'Live migration {text} of server {call.target.uuid} is not in progress, or does not exist.',
                       code='migration_not_found')
    return {'migration': _live(found, named=True)}


def _view(call: Call, migration: Migration, named: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        'id': migration.id, 'uuid': migration.uuid, 'status': migration.status, 'migration_type': migration.type,
        'instance_uuid': migration.instance_uuid, 'old_instance_type_id': migration.old_flavor.id,
        'new_instance_type_id': migration.new_flavor.id, 'created_at': precise(migration.created_at),
        'updated_at': precise(migration.updated_at), 'user_id': migration.user_id,
        'project_id': migration.project_id, **_hosts(migration, named)}
    if migration.type == LIVE_MIGRATION and migration.status in LIVE_IN_PROGRESS:
        shown['links'] = call.links(f'/servers/{migration.instance_uuid}/migrations/{migration.id}')
    return shown


def _live(migration: Migration, named: bool) -> dict[str, Any]:
    left = max(0, migration.bytes_total - migration.bytes_done)
    return {
        'id': migration.id, 'uuid': migration.uuid, 'status': migration.status,
        'server_uuid': migration.instance_uuid, 'created_at': precise(migration.created_at),
        'updated_at': precise(migration.updated_at), 'memory_total_bytes': None, 'memory_processed_bytes': None,
        'memory_remaining_bytes': None, 'disk_total_bytes': migration.bytes_total,
        'disk_processed_bytes': migration.bytes_done, 'disk_remaining_bytes': left, 'user_id': migration.user_id,
        'project_id': migration.project_id, **_hosts(migration, named)}


def _hosts(migration: Migration, named: bool) -> dict[str, str | None]:
    """Return the hosts of a migration; None for who may not see them."""
    values = (migration.source_host, migration.source_node, migration.dest_host, migration.dest_node,
              migration.dest_ip)
    return {name: value if named else None for name, value in zip(_HOSTS, values, strict=True)}


def _time(call: Call, name: str) -> datetime.datetime | None:
    text = call.query.get(name)
    return None if text is None else timeutils.normalize_time(timeutils.parse_isotime(text))


_BASE = '/servers/{server_id}/migrations'

RESOURCE = Resource('migrations', (
    Op('GET', '/os-migrations', index, query=_LISTED, policy=policy.INDEX, facts={'pages': window('2.59')},
       view=View('migrations', _SHOWN, many=True)),
    Op('GET', _BASE, of_server, loads=load, policy=policy.OF_SERVER, since='2.23',
       view=View('migrations', _OF_SERVER, many=True)),
    Op('GET', _BASE + '/{migration_id}', show, loads=load, policy=policy.SHOW, since='2.23',
       view=View('migration', _OF_SERVER)),
))
