"""Lists of images: what is in them, in which order, in pages."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest

from compute.builtin.image.db.tables import properties
from tests.api.image.support import ADMIN, OTHER, Images


@pytest.fixture
def library(images: Images) -> Images:
    """Six images of p1 in this order: a (active), B, c and d, and hidden h; x belongs to p2."""
    images.make(name='a', data=b'12345', min_ram=10, tags=['t1', 't2'], os_distro='debian', visibility='private')
    images.make(name='B', min_ram=30, tags=['t1'], protected=True, os_distro='fedora')
    images.make(name='c', min_ram=20, disk_format='qcow2', visibility='community')
    images.make(name='d', min_ram=20, container_format='ova', token=ADMIN, owner='p1', visibility='public')
    images.make(name='h', os_hidden=True)
    images.make(name='x', token=OTHER)
    return images


@pytest.mark.parametrize(('query', 'names'), [
    ('', 'dcBa'), ('?name=a', 'a'), ('?name=A', ''), ('?name=in:a,B', 'Ba'), ('?name=in:"a","c"', 'ca'),
    ('?status=active', 'a'), ('?status=in:active,queued', 'dcBa'), ('?disk_format=qcow2', 'c'),
    ('?container_format=ova', 'd'), ('?min_ram=20', 'dc'), ('?size_min=5', 'a'), ('?size_max=4', ''),
    ('?protected=true', 'B'), ('?protected=False', 'dca'), ('?os_hidden=true', 'h'), ('?os_hidden=True', 'h'),
    ('?tag=t1', 'Ba'), ('?tag=t1&tag=t2', 'a'), ('?tag=none', ''), ('?os_distro=debian', 'a'), ('?no_such=1', ''),
    ('?visibility=public', 'd'), ('?visibility=private', 'a'), ('?visibility=community', 'c'),
    ('?visibility=shared', 'B'), ('?visibility=all', 'dcBa'), ('?owner=p1', 'dcBa'), ('?owner=p2', ''),
    ('?created_at=gt:2001-01-01T00:00:00Z', 'dcBa'), ('?created_at=lt:2001-01-01T00:00:00Z', ''),
    ('?updated_at=neq:2001-01-01T00:00:00', 'dcBa'), ('?created_at=2001-01-01T00:00:00Z', ''),
    ('?sort=name:asc', 'Bacd'), ('?sort=name', 'dcaB'), ('?sort=min_ram:asc,name:desc', 'adcB'),
    ('?sort_key=name&sort_dir=asc', 'Bacd'), ('?sort_dir=asc', 'aBcd'), ('?sort_key=size&sort_dir=desc', 'a...'),
    ('?sort_key=min_ram&sort_dir=asc&sort_key=name&sort_dir=asc', 'acdB'),
    ('?limit=2', 'dc'), ('?limit=0', '')])
def test_filters_and_order(library: Images, query: str, names: str) -> None:
    found = ''.join(library.names(query))
    assert len(found) == len(names)
    assert found.startswith(names.rstrip('.'))


def test_an_administrator_sees_every_project(library: Images) -> None:
    assert ''.join(library.names(token=ADMIN)) == 'xdcBa'
    assert library.names('?owner=p2', token=ADMIN) == ['x']
    assert library.names('?visibility=shared', token=ADMIN) == ['x', 'B']


def test_another_project_sees_what_is_public(library: Images) -> None:
    assert library.names(token=OTHER) == ['x', 'd']
    assert library.names('?visibility=all', token=OTHER) == ['x', 'd', 'c']


def test_by_id(library: Images) -> None:
    ids = [image['id'] for image in library('GET', '/v2/images').json['images']]
    assert len(library.names(f'?id=in:{ids[0]},{ids[2]}')) == 2
    assert len(library.names(f'?id={ids[1]}')) == 1


def test_the_second_that_is_shown_is_the_second_that_is_found(library: Images) -> None:
    at = library('GET', '/v2/images?name=a').json['images'][0]['created_at']
    for operator, found in (('', 1), ('eq:', 1), ('gte:', 1), ('lte:', 1), ('gt:', 0), ('lt:', 0), ('neq:', 0)):
        assert len(library.names(f'?name=a&created_at={operator}{at}')) == found


@pytest.mark.parametrize('query', [
    '?limit=-1', '?limit=x', '?marker=nothing', '?sort=colour', '?sort_key=tags', '?sort_key=name&sort_dir=up',
    '?sort=name&sort_key=name', '?sort_key=name&sort_dir=asc&sort_dir=asc', '?visibility=secret', '?protected=maybe',
    '?member_status=perhaps', '?size_min=big', '?size_max=-1', '?created_at=yesterday', '?created_at=gt:soon',
    '?min_ram=99999999999999999999', '?created_at=9999-12-31T23:59:59', '?created_at=0001-01-01T00:00:00%2B23:00'])
def test_what_cannot_be_asked(images: Images, query: str) -> None:
    refused = images('GET', f'/v2/images{query}', status=400)
    assert query.split('=')[0].strip('?').split('&')[0] in refused.json['message'] or 'sort' in refused.json['message']


@pytest.mark.parametrize('order', ['', '&sort=name:asc', '&sort_key=size&sort_dir=asc', '&sort=min_ram:desc,name:asc',
                                   '&sort_key=disk_format&sort_dir=desc'])
@pytest.mark.parametrize('limit', [1, 2, 3])
def test_pages_hold_everything_once_and_in_order(library: Images, order: str, limit: int) -> None:
    library('POST', '/v2/images', {}, status=201)  # no name, no format: NULLs have their place too
    whole = library.names(f'?limit=100{order}')
    found, url = [], f'/v2/images?limit={limit}{order}'
    while url:
        answer = library('GET', url, status=200).json
        assert len(answer['images']) <= limit
        assert parse_qsl(urlsplit(answer['first']).query) == parse_qsl(f'limit={limit}{order}')
        found += [image['name'] for image in answer['images']]
        url = answer.get('next')
    assert found == whole and len(found) == 5


def test_a_foreign_marker_is_no_marker(library: Images) -> None:
    foreign = library('GET', '/v2/images?name=x', token=ADMIN).json['images'][0]['id']
    library('GET', f'/v2/images?marker={foreign}', status=400)


def test_page_sizes_are_bounded(site: Callable[..., Images]) -> None:
    images = site(page_size=2, max_page_size=3)
    for number in range(5):
        images.make(name=str(number))
    assert len(images.names()) == 2 and len(images.names('?limit=100')) == 3


@pytest.mark.parametrize('name', ['os_glance_import_task', 'location', 'deleted', 'locations'])
def test_properties_that_are_not_shown_are_not_compared(images: Images, name: str) -> None:
    image_id = images.make(name='a')
    images.daemon.db.transaction(lambda connection: connection.execute(  # as a release before let users set it
        properties.insert().values(image_id=image_id, name=name, value='secret')))
    assert name not in images('GET', f'/v2/images/{image_id}').json
    for value in ('secret', 'wrong'):
        assert images.names(f'?{name}={value}') == []
