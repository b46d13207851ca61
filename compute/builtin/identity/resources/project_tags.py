"""The tags of a project, all together and one by one."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from compute.builtin.identity.db import nouns, tags
from compute.builtin.identity.resources.projects import load
from compute.builtin.identity.resources.shapes import TAG, TAGS
from compute.exception import Invalid, NotFound
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource
from compute.rest.patterns import STRICT
from compute.rest.reply import Reply

_PATH = '/projects/{project_id}/tags'
_ONE = '/projects/{project_id}/tags/{tag}'
_MOST = int(TAGS['maxItems'])  # type: ignore[call-overload]
_CHECK = STRICT(TAG)
_PUT = Body(None, fields(tags=Required(TAGS)))


def index(call: Call) -> dict[str, Any]:
    """List the tags."""
    return _shown(call, call.target['tags'])


def put(call: Call) -> dict[str, Any]:
    """Give the project these tags and no others."""
    row = call.app.write(lambda db: tags.write(db, call.target['id'], call.body['tags']))
    return _shown(call, row['tags'])


def clear(call: Call) -> None:
    """Take all tags away."""
    call.app.write(lambda db: tags.write(db, call.target['id'], ()))


def check(call: Call) -> None:
    """Return whether the project has the tag."""
    if call.path['tag'] not in call.target['tags']:
        raise _missing(call)


def add(call: Call) -> Reply:
    """Add a tag; one that is there stays."""
    tag = call.path['tag']
    if not _CHECK.is_valid(tag):
        raise Invalid(f'The tag {tag[:50]!r} is longer than {TAG["maxLength"]} characters, or has a comma or a slash')

    def change(db: Any) -> None:
        known = nouns.PROJECTS.get(db, call.target['id'])['tags']
        if tag in known:
            return
        if len(known) >= _MOST:
            raise Invalid(f'Project {call.target["id"]} has {len(known)} tags; the limit is {_MOST}')
        tags.write(db, call.target['id'], [*known, tag])
    call.app.write(change)
    return Reply(None, headers={'Location': call.link(f'/projects/{call.target["id"]}/tags/{quote(tag, safe="")}')})


def remove(call: Call) -> None:
    """Take one tag away."""
    def change(db: Any) -> None:
        known = nouns.PROJECTS.get(db, call.target['id'])['tags']
        if call.path['tag'] not in known:
            raise _missing(call)
        tags.write(db, call.target['id'], [tag for tag in known if tag != call.path['tag']])
    call.app.write(change)


def _shown(call: Call, found: list[str]) -> dict[str, Any]:
    return {'tags': found, 'links': {'self': call.link(f'/projects/{call.target["id"]}/tags'), 'previous': None,
                                     'next': None}}


def _missing(call: Call) -> NotFound:
    return NotFound(f'Could not find tag {call.path["tag"]!r} of project {call.target["id"]}.')


PROJECT_TAGS = Resource('project_tags', (
    Op('GET', _PATH, index, policy='identity:list_project_tags', loads=load),
    Op('PUT', _PATH, put, policy='identity:update_project_tags', loads=load, body=_PUT),
    Op('DELETE', _PATH, clear, policy='identity:delete_project_tags', loads=load, status=204),
    Op('GET', _ONE, check, policy='identity:get_project_tag', loads=load, status=204),
    Op('PUT', _ONE, add, policy='identity:create_project_tag', loads=load, status=201),
    Op('DELETE', _ONE, remove, policy='identity:delete_project_tag', loads=load, status=204),
))
