"""Quotas of projects, and of users in them."""

from __future__ import annotations

from typing import Any

from compute.api.schema import BOOLEAN, MAX_NAME, USER_ID, is_true, whole
from compute.control import quotas as control
from compute.db import quotas
from compute.exception import Invalid
from compute.policies import quota_sets as policy
from compute.rest.call import Call
from compute.rest.fields import Field, Until, fields
from compute.rest.op import Body, Op, Query, Resource, View
from compute.rest.versions import window

LIMIT = whole(-1)
INJECTED = ('injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes')
# The network service enforces these; here they are only kept for clients that are older than it.
NETWORK = ('fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules')
LASTING = tuple(resource for resource in quotas.RESOURCES if resource not in INJECTED)


def keys(network_until: str, extra: tuple[str, ...] = ()) -> dict[str, Field | Any]:
    """Return the limits as a table; network ones exist before ``network_until``, injected files before 2.57."""
    return {**dict.fromkeys(LASTING, LIMIT), **{name: Until('2.57', LIMIT) for name in INJECTED},
            **{name: Until(network_until, LIMIT) for name in (*NETWORK, *extra)}}


UPDATE = Body('quota_set', fields(keys('2.36', ('networks',)), force=BOOLEAN))
_VIEW = View('quota_set', fields(keys('2.36')))
_OF_USER = Query(fields(user_id=USER_ID), strict=window('2.75'))
# The defaults are the same for every user; clients name one all the same.
_DEFAULTS = Query(fields(user_id=USER_ID), strict=window('2.102'))


def load(call: Call) -> dict[str, str]:
    """Return the project of the URL as the target of policy. :raises Invalid: no project has an id of this length."""
    project = call.path['id']
    if len(project) > MAX_NAME:
        raise Invalid(f'The id of a project has {MAX_NAME} characters at most; this one has {len(project)}',
                      code='invalid_input')
    return {'project_id': project}


def limits(values: dict[str, int]) -> dict[str, int]:
    """Return every limit there was at some version; those of the network are unlimited unless somebody set them."""
    return {**dict.fromkeys(NETWORK, quotas.UNLIMITED), **values}


def read_limits(body: dict[str, Any]) -> dict[str, int]:
    """Read the limits of a body."""
    return {name: int(value) for name, value in body.items()}


def show(call: Call) -> Any:
    """Show the quotas of a project, or of a user in it."""
    return {'quota_set': {'id': call.path['id'], **limits(_read(call))}}


def detail(call: Call) -> Any:
    """Show quotas with what is used. Use is the project's, also where a user is asked for."""
    used = call.app.db.read(lambda connection: quotas.usage_of(connection, call.path['id']))
    return {'quota_set': {'id': call.path['id'], **{
        name: {'limit': limit, 'in_use': used.get(name, 0), 'reserved': 0}
        for name, limit in limits(_read(call)).items()}}}


def defaults(call: Call) -> Any:
    """Show the quotas of a project for which none were set."""
    found = call.app.db.read(lambda connection: quotas.class_limits(connection, call.app.conf))
    return {'quota_set': {'id': call.path['id'], **limits(found)}}


def update(call: Call) -> Any:
    """Set quotas of a project, or of a user in it."""
    project = call.path['id']
    if call.app.identity.project_exists(call.context, project) is False:
        raise Invalid(f'Project ID {project} is not a valid project.')
    wanted = read_limits({name: value for name, value in call.body.items() if name != 'force'})
    found = control.update(call.app, project, wanted, user_id=_user(call),
                           force=is_true(call.body.get('force', False)))
    return {'quota_set': limits({name: value for name, value in found.items() if name != 'networks'})}


def delete(call: Call) -> None:
    """Return a project, or a user in it, to the default quotas."""
    call.app.db.transaction(lambda connection: quotas.reset(connection, call.path['id'], _user(call)))


def _user(call: Call) -> str | None:
    """Return the user that is meant; an empty id is none."""
    return call.query.get('user_id') or None


def _read(call: Call) -> dict[str, int]:
    found = call.app.db.read(lambda connection: quotas.limits_of(
        connection, call.app.conf, call.path['id'], _user(call)))
    return {name: value for name, value in found.items() if name != 'networks'}


_ONE = '/os-quota-sets/{id}'

RESOURCE = Resource('os-quota-sets', (
    Op('GET', _ONE, show, loads=load, query=_OF_USER, view=_VIEW, policy=policy.SHOW),
    Op('PUT', _ONE, update, loads=load, query=_OF_USER, body=UPDATE, view=_VIEW, policy=policy.UPDATE),
    Op('DELETE', _ONE, delete, loads=load, query=_OF_USER, status=202, policy=policy.DELETE),
    Op('GET', f'{_ONE}/detail', detail, loads=load, query=_OF_USER, view=_VIEW, policy=policy.DETAIL),
    Op('GET', f'{_ONE}/defaults', defaults, loads=load, query=_DEFAULTS, view=_VIEW, policy=policy.DEFAULTS),
))
