"""Images: list, make, show, change, delete."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any
from urllib.parse import urlencode

from compute.builtin.image import query
from compute.builtin.image.application import load_image
from compute.builtin.image.attributes import build, check_limits
from compute.builtin.image.db import images, listing
from compute.builtin.image.fields import CREATE, check_name
from compute.builtin.image.patch import PatchBody, edited
from compute.builtin.image.record import Image
from compute.builtin.image.view import show_image
from compute.exception import Forbidden, NotFound
from compute.objects.value import now
from compute.rest.call import Call
from compute.rest.op import Body, Op, Resource
from compute.rest.reply import Reply
from compute.rest.versions import Version


class CreateBody(Body):
    """A new image. What only the daemon may set is refused with 403, before anything else is looked at."""

    def read(self, version: Version, data: Any) -> tuple[Any, dict[str, Any]]:
        """Check. :raises Forbidden: read-only. :raises Invalid:"""
        for name in data if isinstance(data, dict) else ():
            check_name(name)
        return super().read(version, data)


def index(call: Call) -> dict[str, Any]:
    """Return a page of images."""
    options = call.app.options
    limit = query.limit(call, options.page_size, options.max_page_size)
    sort = query.order(call)
    found = listing.page(call.app.db, query.wanted(call), sort, limit + 1 if limit else 0,
                         call.query.get('marker') or None)
    answer: dict[str, Any] = {'images': [show_image(image) for image in found[:limit]], 'schema': '/v2/schemas/images',
                              'first': _url(call, None)}
    if len(found) > limit:
        answer['next'] = _url(call, found[limit - 1].id)
    return answer


def create(call: Call) -> Reply:
    """Make an image without data. It belongs to the caller's project unless an administrator says otherwise."""
    body, at = dict(call.body), now()
    owner = body.pop('owner', call.context.project_id)
    call.demand('add_image', {'project_id': owner, 'owner': owner})
    if owner != call.context.project_id:
        call.demand('change_owner', {'project_id': owner})
    image = Image(id=body.pop('id', None) or str(uuid.uuid4()), owner=owner, created_at=at, updated_at=at)
    image = build(image, body)
    check_visibility(call, image)
    check_limits(image, call.app.options)
    images.create(call.app.db, image, count_limit=call.app.options.project_total_count)
    return Reply(show_image(image), headers={'Location': call.link(f'/images/{image.id}')})


def show(call: Call) -> dict[str, Any]:
    """Return an image."""
    return show_image(call.target)


def update(call: Call) -> dict[str, Any]:
    """Apply a JSON patch, all of it or nothing."""
    def edit(old: Image) -> Image:
        new = edited(old, call.body)
        if new.visibility != old.visibility:
            check_visibility(call, new)
        if new.owner != old.owner:
            call.demand('change_owner', old)
        check_limits(new, call.app.options, old)
        return new
    return show_image(images.change(call.app.db, call.target.id, edit, now()))


def delete(call: Call) -> None:
    """Delete an image and its data. A download that runs goes on; an upload that runs fails at its end."""
    def check(image: Image) -> None:
        if image.protected:
            raise Forbidden(f'Image {image.id} is protected and cannot be deleted.', code='image_protected',
                            hint='set protected to false first')
    images.delete(call.app.db, call.target.id, check)
    call.app.store.remove(call.target.id)


def put_tag(call: Call) -> None:
    """Add a tag; nothing changes if the image has it."""
    tag = call.path['tag']

    def edit(old: Image) -> Image:
        new = build(old, {'tags': [*old.tags, tag]})
        check_limits(new, call.app.options, old)
        return new
    images.change(call.app.db, call.target.id, edit, now())


def delete_tag(call: Call) -> None:
    """Remove a tag. :raises NotFound: the image does not have it."""
    tag = call.path['tag']

    def edit(old: Image) -> Image:
        if tag not in old.tags:
            raise NotFound(f'Image {old.id} has no tag {tag!r}.', code='tag_not_found')
        return dataclasses.replace(old, tags=tuple(other for other in old.tags if other != tag))
    images.change(call.app.db, call.target.id, edit, now())


def check_visibility(call: Call, image: Image) -> None:
    """:raises Forbidden: the caller may not make an image as visible as that."""
    if image.visibility == 'public':
        call.demand('publicize_image', image)
    elif image.visibility == 'community':
        call.demand('communitize_image', image)


def _url(call: Call, marker: str | None) -> str:
    pairs = [(name, value) for name, values in call.query.items() if name != 'marker'
             for value in (values if isinstance(values, list) else [values])]
    if marker is not None:
        pairs.append(('marker', marker))
    return '/v2/images' + (f'?{urlencode(pairs)}' if pairs else '')


RESOURCE = Resource('images', (
    Op('GET', '/images', index, policy='get_images', query=query.LIST),
    Op('POST', '/images', create, policy='add_image', body=CreateBody(None, CREATE), status=201),
    Op('GET', '/images/{image_id}', show, policy='get_image', loads=load_image),
    Op('PATCH', '/images/{image_id}', update, policy='modify_image', loads=load_image, body=PatchBody()),
    Op('DELETE', '/images/{image_id}', delete, policy='delete_image', loads=load_image, status=204),
    Op('PUT', '/images/{image_id}/tags/{tag}', put_tag, policy='modify_image', loads=load_image, status=204),
    Op('DELETE', '/images/{image_id}/tags/{tag}', delete_tag, policy='modify_image', loads=load_image, status=204),
))
