"""Idempotency-Key on the Image API."""

from __future__ import annotations

from compute.rest.idempotency import REPLAYED
from tests.api.image.support import MEMBER, OTHER, Images

KEY = {'Idempotency-Key': 'once'}


def test_an_image_is_made_once(images: Images) -> None:
    body = {'name': 'im', 'disk_format': 'raw', 'container_format': 'bare'}
    first = images('POST', '/v2/images', body, headers=KEY, status=201)
    again = images('POST', '/v2/images', body, headers=KEY, status=201)
    assert again.json == first.json and again.headers['Location'] == first.headers['Location']
    assert REPLAYED in again.headers and images.names() == ['im']
    images('POST', '/v2/images', {**body, 'name': 'other'}, headers=KEY, status=409)
    images('POST', '/v2/images', body, headers=KEY, token=OTHER, status=201)


def test_members_and_actions(images: Images) -> None:
    image = images.make(visibility='shared', data=b'x')
    member = {'member': 'p2'}
    first = images('POST', f'/v2/images/{image}/members', member, headers=KEY, status=200)
    assert images('POST', f'/v2/images/{image}/members', member, headers=KEY, status=200).json == first.json
    images('POST', f'/v2/images/{image}/members', member, token=MEMBER, status=409)
