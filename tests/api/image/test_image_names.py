"""Names that only the daemon sets are refused wherever a client can name one."""

from __future__ import annotations

import pytest

from compute.builtin.image.db.tables import properties
from tests.api.image.support import ADMIN, MEMBER, Images

READ_ONLY = ('stores', 'locations', 'direct_url', 'self', 'schema', 'file', 'status', 'size', 'virtual_size',
             'checksum', 'os_hash_algo', 'os_hash_value', 'created_at', 'updated_at')
RESERVED = ('location', 'deleted', 'deleted_at', 'os_glance_x', 'os_glance_import_task', 'os_glance')


@pytest.mark.parametrize('token', [MEMBER, ADMIN])
@pytest.mark.parametrize(('name', 'word'), [*((name, 'read-only') for name in READ_ONLY),
                                            *((name, 'reserved') for name in RESERVED)])
def test_only_the_daemon_sets_it(images: Images, name: str, word: str, token: str) -> None:
    """403 in a new image and in each kind of change, in both forms of a patch."""
    said = [images('POST', '/v2/images', {name: 'x'}, token=token, status=403)]
    image = images.make(token=token)
    for change in ({'op': 'add', 'path': f'/{name}', 'value': 'x'}, {'op': 'replace', 'path': f'/{name}', 'value': 'x'},
                   {'op': 'remove', 'path': f'/{name}'}):
        said.append(images('PATCH', f'/v2/images/{image}', [change], token=token, status=403))
    older = {'Content-Type': 'application/openstack-images-v2.0-json-patch'}
    said.append(images('PATCH', f'/v2/images/{image}', [{'add': f'/{name}', 'value': 'x'}], token=token, headers=older,
                       status=403))
    assert {answer.json['message'] for answer in said} == {f"Attribute '{name}' is {word}."}


def test_what_users_set_before_is_not_shown(images: Images) -> None:
    image = images.make(mine='x')
    images.daemon.db.transaction(lambda connection: connection.execute(properties.insert(), [
        {'image_id': image, 'name': name, 'value': 'x'} for name in ('stores', 'direct_url', 'os_glance_x')]))
    shown = images('GET', f'/v2/images/{image}').json
    assert shown['mine'] == 'x' and not shown.keys() & {'stores', 'direct_url', 'os_glance_x'}
    listed, = images('GET', '/v2/images').json['images']
    assert listed == shown


def test_the_id_of_an_image_is_not_changed(images: Images) -> None:
    image = images.make()
    for kind in ('add', 'replace', 'remove'):
        change = {'op': kind, 'path': '/id', 'value': '11111111-2222-3333-4444-555555555555'}
        assert 'read-only' in images('PATCH', f'/v2/images/{image}', [change], status=403).json['message']


def test_the_owner_is_changed_by_administrators(images: Images) -> None:
    image = images.make()
    change = [{'op': 'replace', 'path': '/owner', 'value': 'p2'}]
    images('PATCH', f'/v2/images/{image}', change, status=403)
    images('POST', '/v2/images', {'owner': 'p2'}, status=403)
    images('PATCH', f'/v2/images/{image}', change, token=ADMIN, status=200)
