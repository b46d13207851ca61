"""``personality``: files that a request puts into its servers, to microversion 2.56, within the quotas."""

from __future__ import annotations

import base64
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from compute.db import injected_files, instances
from compute.db.tables import injected_files as table
from compute.metadata.app import Metadata
from compute.metadata.identity import signature
from tests.api.compute.compute_cloud import ADMIN
from tests.api.compute.serving import Servers, message

OLD = '2.56'


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


MOTD = {'path': '/etc/motd', 'contents': encoded(b'hello')}
BINARY = {'path': '/opt/ünïcode', 'contents': encoded(bytes(range(256)))}


def stored(servers: Servers) -> int:
    """Return how many contents there are."""
    return int(servers.api.db.scalar(sa.select(sa.func.count()).select_from(table)))


def contents(servers: Servers, uuid: str) -> list[bytes]:
    row = servers.row(uuid)
    return [base64.b64decode(each) for each in servers.api.db.read(
        lambda connection: injected_files.contents(connection, row))]


@pytest.mark.parametrize('version', ['2.1', OLD])
def test_files_are_kept_with_the_server(servers: Servers, version: str) -> None:
    uuid = servers.create(202, version=version, personality=[MOTD, BINARY])['id']
    assert servers.row(uuid).file_paths == ('/etc/motd', '/opt/ünïcode')
    assert contents(servers, uuid) == [b'hello', bytes(range(256))]


def test_each_server_of_a_request_has_them(servers: Servers) -> None:
    servers.create(202, version=OLD, personality=[MOTD], min_count=3)
    assert stored(servers) == 3
    for row in servers.api('GET', '/servers')['servers']:
        assert contents(servers, row['id']) == [b'hello']


def test_contents_may_have_blanks(servers: Servers) -> None:
    lines = encoded(bytes(300))
    uuid = servers.create(202, version=OLD, personality=[{'path': 'a', 'contents': f'{lines[:76]}\n{lines[76:]}\n'}])
    assert contents(servers, uuid['id']) == [bytes(300)]


def test_a_server_without_files(servers: Servers) -> None:
    uuid = servers.create(202, version=OLD, personality=[])['id']
    assert servers.row(uuid).file_paths == () and contents(servers, uuid) == [] and stored(servers) == 0


@pytest.mark.parametrize(('entry', 'words'), [
    ({'path': '/a', 'contents': '%%%'}, 'personality.0.contents is not valid base64'),
    ({'path': '/a', 'contents': 'abc'}, 'personality.0.contents is not valid base64'),
    ({'path': '/a', 'contents': 'ä'}, 'personality.0.contents is not valid base64'),
    ({'path': '/a', 'contents': None}, 'contents'), ({'path': '/a'}, 'contents'), ({'contents': ''}, 'path'),
    ({'path': '', 'contents': ''}, 'path'), ({'path': 5, 'contents': ''}, 'path'),
    ({'path': '/a', 'contents': '', 'mode': '0600'}, 'mode'), ('/etc/motd', 'personality')])
def test_what_is_no_file(servers: Servers, entry: Any, words: str) -> None:
    assert words in message(servers.create(400, version=OLD, personality=[entry]))
    assert stored(servers) == 0


@pytest.mark.parametrize('value', [None, MOTD, 'x', 5])
def test_what_is_no_list(servers: Servers, value: Any) -> None:
    body = servers.request()
    body['server']['personality'] = value
    assert 'personality' in message(servers.api('POST', '/servers', body, version=OLD, status=400))


def test_from_2_57_on_there_is_none(servers: Servers) -> None:
    assert 'personality' in message(servers.create(400, version='2.57', personality=[MOTD]))


FITS = [{'path': 'a' * 255, 'contents': encoded(bytes(10240))}] * 5


def test_what_just_fits_the_quotas(servers: Servers) -> None:
    uuid = servers.create(202, version=OLD, personality=FITS)['id']
    assert [len(each) for each in contents(servers, uuid)] == [10240] * 5


@pytest.mark.parametrize(('files', 'words'), [
    ([*FITS, FITS[0]], '6 files are given, the limit is 5'),
    ([MOTD, {'path': '/b', 'contents': encoded(bytes(10241))}], 'personality.1.contents has 10241 bytes, the limit is '
                                                                '10240'),
    ([{'path': 'a' * 256, 'contents': ''}], 'personality.0.path has 256 bytes, the limit is 255'),
    ([{'path': 'ü' * 128, 'contents': ''}], 'personality.0.path has 256 bytes')])
def test_over_a_quota(servers: Servers, files: list[dict[str, str]], words: str) -> None:
    answer = servers.create(403, version=OLD, personality=files)
    assert words in message(answer) and set(answer) == {'forbidden'}
    assert servers.api('GET', '/servers')['servers'] == [] and stored(servers) == 0


@pytest.mark.parametrize(('limit', 'files', 'status'), [
    ({'injected_files': 0}, [MOTD], 403), ({'injected_files': -1}, [MOTD] * 20, 202),
    ({'injected_file_content_bytes': 4}, [MOTD], 403), ({'injected_file_path_bytes': 8}, [MOTD], 403),
    ({'injected_file_content_bytes': -1}, [{'path': 'a', 'contents': encoded(bytes(70000))}], 202)])
def test_the_quotas_of_the_project_count(servers: Servers, limit: dict[str, int], files: list[dict[str, str]],
                                         status: int) -> None:
    servers.api('PUT', '/os-quota-sets/p1', {'quota_set': limit}, token=ADMIN, version=OLD, status=200)
    servers.create(status, version=OLD, personality=files)


def test_a_body_that_is_too_large_is_413(servers: Servers) -> None:
    huge = {'path': '/a', 'contents': encoded(bytes(100000))}
    servers.create(413, version=OLD, personality=[huge])


def test_they_go_with_their_server(servers: Servers) -> None:
    kept, gone = (servers.create(202, version=OLD, personality=[MOTD])['id'] for _ in range(2))
    servers.api.db.transaction(lambda connection: instances.mark_deleted(connection, gone))
    assert stored(servers) == 1 and contents(servers, kept) == [b'hello']


class Guest:
    """What a server is told by the metadata service."""

    def __init__(self, servers: Servers, uuid: str) -> None:
        self._uuid = uuid
        options = SimpleNamespace(metadata=SimpleNamespace(shared_secret='s', cache_time=15.0))
        self._app = Metadata(SimpleNamespace(db=servers.api.db, conf=options, group_names=SimpleNamespace(
            of=lambda ids: {})))

    def get(self, path: str, method: str = 'GET') -> tuple[int, bytes]:
        environ = {'REQUEST_METHOD': method, 'PATH_INFO': path, 'wsgi.input': io.BytesIO(),
                   'HTTP_X_INSTANCE_ID': self._uuid, 'HTTP_X_INSTANCE_ID_SIGNATURE': signature('s', self._uuid)}
        said: list[str] = []
        body = b''.join(self._app(environ, lambda status, headers: said.append(status)))
        return int(said[0].split()[0]), body


def test_the_metadata_service_has_them(servers: Servers) -> None:
    uuid, other = (servers.create(202, version=OLD, personality=files)['id'] for files in ([MOTD, BINARY], []))
    guest = Guest(servers, uuid)
    for version in ('2012-08-10', 'latest'):
        told = json.loads(guest.get(f'/openstack/{version}/meta_data.json')[1])
        assert told['files'] == [{'path': '/etc/motd', 'content_path': '/content/0000'},
                                 {'path': '/opt/ünïcode', 'content_path': '/content/0001'}]
    assert guest.get('/openstack/content/0000') == (200, b'hello')
    assert guest.get('/openstack/content/0001') == (200, bytes(range(256)))
    assert guest.get('/openstack/content/0001', 'HEAD') == (200, b'')
    for path in ('0002', '1', '00000', 'x', '', '../latest'):
        assert [guest.get(f'/openstack/content/{path}', method)[0] for method in ('GET', 'HEAD')] == [404, 404]
    assert Guest(servers, other).get('/openstack/content/0000')[0] == 404
    assert 'files' not in json.loads(Guest(servers, other).get('/openstack/latest/meta_data.json')[1])
