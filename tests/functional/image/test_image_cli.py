"""The real ``openstack`` client against the built-in image daemon."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.functional.image.running import Running
from tests.unit.builtin.image import making


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp('cli'))
    yield made
    made.close()


def test_an_image_from_create_to_delete(running: Running, tmp_path: pathlib.Path) -> None:
    source, target = tmp_path / 'source', tmp_path / 'target'
    source.write_bytes(bytes(range(256)) * 30000)
    made = running.openstack('image', 'create', '--file', str(source), '--disk-format', 'raw', '--container-format',
                             'bare', '--property', 'hw_disk_bus=virtio', '--tag', 'small', 'cli', '-f', 'json')
    assert made['status'] == 'active' and made['size'] == source.stat().st_size
    assert made['properties']['hw_disk_bus'] == 'virtio' and made['tags'] == ['small']

    running.openstack('image', 'set', '--property', 'a=b', '--min-ram', '64', '--tag', 'more', '--protected', 'cli')
    shown = running.openstack('image', 'show', 'cli', '-f', 'json')
    assert shown['min_ram'] == 64 and shown['properties']['a'] == 'b' and sorted(shown['tags']) == ['more', 'small']
    refused = running.openstack('image', 'delete', 'cli', check=False)
    assert refused.returncode != 0 and 'protected' in refused.stderr

    running.openstack('image', 'save', '--file', str(target), 'cli')
    assert target.read_bytes() == source.read_bytes()
    running.openstack('image', 'unset', '--property', 'a', '--tag', 'more', 'cli')
    running.openstack('image', 'set', '--unprotected', '--name', 'renamed', 'cli')
    listed = running.openstack('image', 'list', '--long', '-f', 'json')
    assert [image['Name'] for image in listed] == ['renamed']
    running.openstack('image', 'delete', 'renamed')
    assert running.openstack('image', 'list', '-f', 'json') == []
    assert [path for path in running.store.iterdir() if path.is_file()] == []


def test_a_lying_image_is_refused_with_the_reason(running: Running, tmp_path: pathlib.Path) -> None:
    source = tmp_path / 'source'
    source.write_bytes(making.qcow2(backing=104))
    for declared, reason in (('raw', 'declared raw but its data is qcow2'), ('qcow2', 'backing file')):
        refused = running.openstack('image', 'create', '--file', str(source), '--disk-format', declared, 'lie',
                                    check=False)
        assert refused.returncode != 0 and reason in refused.stderr


@pytest.mark.parametrize('words', [('image', 'show', 'nothing'), ('image', 'set', '--name', 'x', 'nothing')])
def test_an_unknown_name_is_a_clean_miss(running: Running, words: tuple[str, ...]) -> None:
    missed = running.openstack(*words, check=False)
    assert missed.returncode != 0 and 'nothing' in missed.stderr and 'Traceback' not in missed.stderr


def test_sharing_and_deactivating(running: Running) -> None:
    project = running.openstack('project', 'create', 'friends', '-f', 'json')['id']
    running.openstack('image', 'create', 'shared-one')
    running.openstack('image', 'add', 'project', 'shared-one', 'friends')
    members = running.openstack('image', 'member', 'list', 'shared-one', '-f', 'json')
    assert [member['Member ID'] for member in members] == [project]
    running.openstack('image', 'remove', 'project', 'shared-one', 'friends')
    assert running.openstack('image', 'member', 'list', 'shared-one', '-f', 'json') == []
    running.openstack('image', 'delete', 'shared-one')
    running.openstack('project', 'delete', 'friends')
