"""Server groups: servers that shall run on one host, or on different ones."""

from __future__ import annotations

from typing import Any

from compute.api.changes import server_groups as changes
from compute.api.schema import COUNT, NAME, STRING, whole
from compute.control import server_groups as control
from compute.db import server_group_list, server_groups
from compute.exception import Invalid
from compute.objects.server_group import ServerGroupRecord
from compute.policies import server_groups as policy
from compute.rest.call import Call
from compute.rest.fields import Between, Either, Required, Since, Until, fields
from compute.rest.op import Body, Op, Query, Resource, View
from compute.rest.versions import window

_HARD = ['anti-affinity', 'affinity']
_ALL = [*_HARD, 'soft-anti-affinity', 'soft-affinity']
_RULES = fields(max_server_per_host=whole(1))


def _policies(names: list[str]) -> dict[str, Any]:
    return {'type': 'array', 'minItems': 1, 'maxItems': 1, 'items': {'type': 'string', 'enum': names}}


CREATE = Body('server_group', fields(
    name=Required(NAME),
    policies=Either(Until('2.15', _policies(_HARD), required=True),
                    Between('2.15', '2.64', _policies(_ALL), required=True)),
    policy=Since('2.64', {'type': 'string', 'enum': _ALL}, required=True),
    table={'rules': Since('2.64', _RULES)}), lifts=changes.LIFTS)

_GROUP = fields(project_id=Since('2.13', STRING), user_id=Since('2.13', STRING))
_ONE = View('server_group', _GROUP, changes=changes.CHANGES)
_MANY = View('server_groups', _GROUP, many=True, changes=changes.CHANGES)
_LISTED = Query(fields(all_projects=STRING, limit=COUNT, offset=COUNT), strict=window('2.75'))


def view(group: ServerGroupRecord) -> dict[str, Any]:
    """Return a group as the newest version shows it."""
    return {'id': group.uuid, 'name': group.name, 'policy': group.policy, 'rules': group.rules,
            'members': list(group.members), 'project_id': group.project_id, 'user_id': group.user_id}


def load(call: Call) -> ServerGroupRecord:
    """Return the group of the URL, if it is the caller's project's."""
    return call.app.db.read(lambda connection: server_group_list.get(
        connection, call.path['id'], call.project_scope))


def index(call: Call) -> Any:
    """List the groups of the project, or of all where an administrator asks so."""
    scope: str | None = call.context.project_id
    if 'all_projects' in call.query and call.context.is_admin:
        call.demand(policy.ALL_PROJECTS)
        scope = None
    most = call.app.conf.api.max_limit
    limit, offset = min(int(call.query.get('limit', most)), most), int(call.query.get('offset', 0))
    found = call.app.db.read(lambda connection: server_group_list.page(connection, scope, limit=limit, offset=offset))
    return {'server_groups': [view(group) for group in found]}


def show(call: Call) -> Any:
    """Show a group."""
    return {'server_group': view(call.target)}


def create(call: Call) -> Any:
    """Make a group."""
    kind, rules = call.body['policy'], call.body.get('rules') or {}
    if rules and kind != 'anti-affinity':
        raise Invalid(f'Only anti-affinity policy supports rules; this group is of policy {kind}.')
    rules = {name: int(value) for name, value in rules.items()}
    return {'server_group': view(control.create(call.app, call.context, call.body['name'], kind, rules))}


def delete(call: Call) -> None:
    """Delete a group; its servers stay where they are."""
    call.app.db.transaction(lambda connection: server_groups.delete(connection, call.target.uuid))


RESOURCE = Resource('os-server-groups', (
    Op('GET', '/os-server-groups', index, query=_LISTED, view=_MANY, policy=policy.INDEX),
    Op('POST', '/os-server-groups', create, body=CREATE, view=_ONE, policy=policy.CREATE, in_project=True),
    Op('GET', '/os-server-groups/{id}', show, loads=load, view=_ONE, policy=policy.SHOW),
    Op('DELETE', '/os-server-groups/{id}', delete, status=204, loads=load, policy=policy.DELETE),
))
