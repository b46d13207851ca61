"""What is cleaned up after a death, and what is left alone because it lives."""

from __future__ import annotations

import os
import pathlib
import uuid
from collections.abc import Iterator

import pytest

from compute.builtin.image.daemon import ImageDaemon
from compute.builtin.image.db import images
from compute.builtin.image.record import Data, Image
from compute.builtin.image.store import Upload
from compute.builtin.image.sweep import sweep
from compute.objects.value import now
from tests.api.image.support import make_conf


@pytest.fixture
def daemon(tmp_path: pathlib.Path) -> Iterator[ImageDaemon]:
    made = ImageDaemon(make_conf(tmp_path))
    made.prepare()
    yield made
    made.stop()


def begin(daemon: ImageDaemon) -> tuple[str, Upload]:
    """An image whose upload runs."""
    image = Image(id=str(uuid.uuid4()), owner='p1', created_at=now(), updated_at=now())
    images.create(daemon.db, image)
    upload = daemon.store.upload()
    assert images.begin_upload(daemon.db, image.id, upload.id, now())
    upload.write(b'data')
    return image.id, upload


def look(daemon: ImageDaemon, image_id: str) -> tuple[str, list[str], list[str]]:
    return images.get(daemon.db, image_id).status, daemon.store.parts(), daemon.store.finals()


@pytest.mark.parametrize('published', [False, True])
def test_a_living_upload_is_left_alone(daemon: ImageDaemon, published: bool) -> None:
    image_id, upload = begin(daemon)
    if published:
        upload.publish(image_id)
    before = look(daemon, image_id)
    assert sweep(daemon.db, daemon.store) == 0 and look(daemon, image_id) == before
    upload.close()


@pytest.mark.parametrize('published', [False, True])
def test_a_dead_upload_is_undone(daemon: ImageDaemon, published: bool) -> None:
    image_id, upload = begin(daemon)
    if published:
        upload.publish(image_id)
    upload.close()
    assert sweep(daemon.db, daemon.store) == 1
    assert look(daemon, image_id) == ('queued', [], [])
    assert sweep(daemon.db, daemon.store) == 0


def test_a_dead_upload_whose_file_is_lost_is_undone(daemon: ImageDaemon) -> None:
    image_id, upload = begin(daemon)
    upload.discard()
    upload.close()
    sweep(daemon.db, daemon.store)
    assert look(daemon, image_id) == ('queued', [], [])


def test_a_finished_upload_stays(daemon: ImageDaemon) -> None:
    image_id, upload = begin(daemon)
    upload.publish(image_id)
    md5, sha512 = upload.digests
    assert images.finish_upload(daemon.db, image_id, upload.id, Data(
        size=4, virtual_size=4, checksum=md5, os_hash_value=sha512), now())
    upload.close()
    assert sweep(daemon.db, daemon.store) == 0
    assert look(daemon, image_id) == ('active', [], [image_id])


def test_files_of_nobody_go_and_other_files_stay(daemon: ImageDaemon) -> None:
    store = pathlib.Path(daemon.store.path)
    for name in (str(uuid.uuid4()), f'uploads/{uuid.uuid4()}', 'README', 'uploads/notes'):
        (store / name).write_bytes(b'x')
    assert sweep(daemon.db, daemon.store) == 2
    assert sorted(os.listdir(store)) == ['README', 'uploads'] and os.listdir(store / 'uploads') == ['notes']


def test_a_daemon_cleans_up_when_it_starts(daemon: ImageDaemon, tmp_path: pathlib.Path) -> None:
    image_id, upload = begin(daemon)
    upload.close()
    again = ImageDaemon(make_conf(tmp_path))
    again.prepare()
    assert look(again, image_id) == ('queued', [], [])
    again.stop()


def test_health_tells_what_is_missing(daemon: ImageDaemon) -> None:
    assert daemon.health() == []
    os.rmdir(os.path.join(daemon.store.path, 'uploads'))
    report = daemon.watch.look_now()
    assert daemon.health() == ['The image store cannot be written'], 'no path for the public'
    assert any(daemon.store.path in reason for reason in report.reasons())
