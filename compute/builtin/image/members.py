"""Sharing: the owner names projects, each of them accepts or rejects; until then the image is not in its lists."""

from __future__ import annotations

from typing import Any

from compute.builtin.image.application import load_image, load_member
from compute.builtin.image.db import members
from compute.builtin.image.fields import MEMBER, MEMBER_STATUS
from compute.builtin.image.record import Image
from compute.builtin.image.view import show_member
from compute.exception import Forbidden
from compute.objects.value import now
from compute.rest.call import Call
from compute.rest.op import Body, Op, Resource


def index(call: Call) -> dict[str, Any]:
    """Return all members to the owner, and to a member only itself."""
    image: Image = call.target
    project = call.context.project_id
    only = None if call.may('image_sees_all') or project == image.owner else project or ''
    return {'members': [show_member(member) for member in members.listed(call.app.db, image, only)],
            'schema': '/v2/schemas/members'}


def create(call: Call) -> dict[str, Any]:
    """Share the image with a project. :raises Forbidden: it is not of the kind that is shared."""
    image: Image = call.target
    if image.visibility != 'shared':
        raise Forbidden(f'Only shared images have members; image {image.id} is {image.visibility}.', code='not_shared')
    return show_member(members.add(call.app.db, image, call.body['member'], now(), call.app.options.max_members))


def show(call: Call) -> dict[str, Any]:
    """Return a member."""
    return show_member(call.target)


def update(call: Call) -> dict[str, Any]:
    """Accept, reject, or leave it open again."""
    image = load_image(call)
    return show_member(members.set_status(call.app.db, image, call.target.member_id, call.body['status'], now()))


def delete(call: Call) -> None:
    """Stop sharing."""
    members.remove(call.app.db, load_image(call), call.target.member_id)


_ALL = '/images/{image_id}/members'
_ONE = _ALL + '/{member_id}'
RESOURCE = Resource('members', (
    Op('GET', _ALL, index, policy='get_members', loads=load_image),
    Op('POST', _ALL, create, policy='add_member', loads=load_image, body=Body(None, MEMBER)),
    Op('GET', _ONE, show, policy='get_member', loads=load_member),
    Op('PUT', _ONE, update, policy='modify_member', loads=load_member, body=Body(None, MEMBER_STATUS)),
    Op('DELETE', _ONE, delete, policy='delete_member', loads=load_member, status=204),
))
