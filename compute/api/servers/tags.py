"""A server's tags: all of them, or one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import Connection

from compute.api.servers.fields import MAX_TAGS, TAG
from compute.api.servers.load import load
from compute.api.servers.metadata import check_changeable
from compute.db import instances
from compute.exception import Invalid, NotFound
from compute.policies import server_tags as policy
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource
from compute.rest.reply import Reply

_ALL = Body(None, fields(tags=Required({'type': 'array', 'items': TAG, 'maxItems': MAX_TAGS})))


def index(call: Call) -> Any:
    """Show all."""
    return {'tags': list(call.target.tags)}


def show(call: Call) -> None:
    """Answer nothing if the server has the tag. :raises NotFound: it has not."""
    _has(call.target.tags, call)


def replace(call: Call) -> Any:
    """Set all, forgetting the others."""
    return {'tags': _write(call, lambda old: list(dict.fromkeys(call.body['tags'])))}


def clear(call: Call) -> None:
    """Remove all."""
    _write(call, lambda old: [])


def put(call: Call) -> Any:
    """Add a tag: 201 with its place if it is new, else 204."""
    tag = call.path['tag']
    if not TAG['minLength'] <= len(tag) <= TAG['maxLength'] or not re.match(TAG['pattern'], tag):
        raise Invalid(f'Tag {tag!r} is not valid: it takes {TAG["minLength"]} to {TAG["maxLength"]} characters without '
                      'comma and slash')
    before: list[str] = []
    _write(call, lambda old: old if tag in old else [*old, tag], before)
    place = call.link(f'/servers/{call.target.uuid}/tags/{quote(tag)}')
    return None if tag in before else Reply(status=201, headers={'Location': place})


def delete(call: Call) -> None:
    """Remove a tag. :raises NotFound: the server does not have it."""
    def without(old: list[str]) -> list[str]:
        _has(old, call)
        return [tag for tag in old if tag != call.path['tag']]
    _write(call, without)


def _has(tags: Any, call: Call) -> None:
    if call.path['tag'] not in tags:
        raise NotFound(f'Server {call.target.uuid} has no tag {call.path["tag"]!r}')


def _write(call: Call, change: Callable[[list[str]], list[str]], before: list[str] | None = None) -> list[str]:
    """Change the tags and return them; what they were goes to ``before``."""
    def write(connection: Connection) -> list[str]:
        server = instances.lock(connection, call.target.uuid)
        check_changeable('change tags of', server)
        old = list(server.tags)
        wanted = change(old)
        if len(wanted) > MAX_TAGS:
            raise Invalid(f'The number of tags exceeded the per-server limit {MAX_TAGS}')
        if before is not None:
            before[:] = old
        if wanted != old:
            instances.update(connection, server.uuid, tags=wanted)
        return wanted
    return call.app.db.transaction(write)


_PATH = '/servers/{server_id}/tags'

RESOURCE = Resource('server-tags', (
    Op('GET', _PATH, index, policy=policy.INDEX, loads=load, since='2.26'),
    Op('PUT', _PATH, replace, policy=policy.UPDATE_ALL, loads=load, body=_ALL, since='2.26'),
    Op('DELETE', _PATH, clear, policy=policy.DELETE_ALL, loads=load, status=204, since='2.26'),
    Op('GET', _PATH + '/{tag}', show, policy=policy.SHOW, loads=load, status=204, since='2.26'),
    Op('PUT', _PATH + '/{tag}', put, policy=policy.UPDATE, loads=load, status=204, since='2.26'),
    Op('DELETE', _PATH + '/{tag}', delete, policy=policy.DELETE, loads=load, status=204, since='2.26'),
))
