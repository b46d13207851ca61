"""An id names one image for good: whoever names it in a template never gets another project's image instead."""

from __future__ import annotations

import threading
from typing import Any

import sqlalchemy as sa

from compute.builtin.image.db.tables import images as table
from tests.api.image.support import ADMIN, MEMBER, OTHER, Images

ID = '11111111-2222-3333-4444-555555555555'


def take(images: Images, token: str, **body: Any) -> int:
    return images('POST', '/v2/images', {'id': ID, 'visibility': 'community', **body}, token=token).status_int


def test_the_id_of_a_deleted_image_stays_used(images: Images) -> None:
    images.make(id=ID, visibility='private', data=b'mine')
    assert take(images, OTHER) == 409
    images('DELETE', f'/v2/images/{ID}', status=204)
    for token in (OTHER, MEMBER, ADMIN):
        assert take(images, token) == 409
    images('GET', f'/v2/images/{ID}', token=OTHER, status=404)


def test_an_id_that_the_daemon_chose_stays_used(images: Images) -> None:
    image_id = images.make()
    images('DELETE', f'/v2/images/{image_id}', status=204)
    images('POST', '/v2/images', {'id': image_id}, token=OTHER, status=409)


def test_cleaning_up_keeps_used_ids(images: Images) -> None:
    images.make(id=ID, data=b'x')
    images('DELETE', f'/v2/images/{ID}', status=204)
    images.daemon._sweep()
    assert take(images, OTHER) == 409


def test_a_refused_request_uses_no_id(images: Images) -> None:
    assert take(images, MEMBER, visibility='public') == 403
    assert take(images, MEMBER) == 201


def test_an_image_of_the_release_before_is_remembered_when_it_is_deleted(images: Images) -> None:
    """A daemon of the release before writes no used id; the one that deletes the image does."""
    from compute.builtin.image.db.tables import used_ids
    images.make(id=ID)
    images.daemon.db.transaction(lambda connection: connection.execute(used_ids.delete()))
    assert take(images, OTHER) == 409
    images('DELETE', f'/v2/images/{ID}', status=204)
    assert take(images, OTHER) == 409


def test_of_requests_at_once_one_gets_the_id(images: Images) -> None:
    """Whoever gets it deletes it at once: none of the others may come after it."""
    start, answers = threading.Barrier(8), []

    def run(token: str) -> None:
        start.wait(30)
        status = take(images, token)
        answers.append(status)
        if status == 201:
            images('DELETE', f'/v2/images/{ID}', token=token, status=204)
    threads = [threading.Thread(target=run, args=(token,)) for token in (MEMBER, OTHER) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [201] + [409] * 7
    assert images.daemon.db.scalar(sa.select(sa.func.count()).select_from(table)) == 0
