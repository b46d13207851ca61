"""Locks per key are shared while they are in use, and removed afterwards."""

from __future__ import annotations

import pathlib
import threading

import pytest

from compute import exception
from compute.virt.libvirt.images import ImageCache
from compute.virt.libvirt.paths import Paths
from compute.virt.turns import Turns
from tests.contract.virt.making import make_conf, make_image
from tests.waiting import wait_until


def test_users_at_the_same_time_share_a_lock_and_the_last_one_removes_it() -> None:
    turns = Turns()
    with turns.of('a') as first:
        with turns.of('a') as second, turns.of('b') as other:
            assert second is first and other is not first and len(turns) == 2
        with turns.of('a') as third:
            assert third is first, 'one user is left, so the lock stays'
    assert len(turns) == 0


def test_one_that_waits_gets_the_lock_that_the_holder_has() -> None:
    turns, order = Turns(), list[str]()

    def second() -> None:
        with turns.of('a') as turn, turn:
            order.append('second')

    with turns.of('a') as turn, turn:
        thread = threading.Thread(target=second)
        thread.start()
        wait_until(lambda: turns._users.get('a') == 2, 'the second user')
        order.append('first')
    thread.join(60)
    assert order == ['first', 'second'] and len(turns) == 0


def test_a_cache_keeps_no_lock_of_an_image_that_nobody_uses(tmp_path: pathlib.Path) -> None:
    paths = Paths(str(tmp_path))
    paths.make()
    cache = ImageCache(make_conf(libvirt={'instances_path': str(tmp_path)}), paths, 'host-1')
    image = make_image(b'x')
    with pytest.raises(exception.Retry, match='not in the cache'), cache.using(image):
        pass
    assert len(cache._turns) == 0
