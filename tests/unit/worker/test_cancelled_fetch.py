"""A server that is deleted while its image comes: the delete does not wait for the image."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from compute import context as ctx
from tests.unit.worker.test_operations import Host


def test_a_delete_does_not_wait_for_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    host, begun, ended = Host(), threading.Event(), threading.Event()

    def download(*args: Any) -> Iterator[bytes]:
        try:
            for _ in itertools.takewhile(lambda _: not ended.is_set(), itertools.count()):
                yield b'x'
                begun.set()
                ended.wait(0.01)
        finally:
            ended.set()
    monkeypatch.setattr(host.images, 'download', download)
    host.runner.submit(ctx.internal(), host.work('create').operation.ref)
    assert begun.wait(120)
    try:
        deleted = host.run(host.work('delete', nics=()))
    finally:
        ended.set()
    assert deleted is not None and deleted[0] == 'finish'
    assert [kind for kind, _ in host.conductor.ended] == ['finish'], 'the create has nothing to say any more'
    assert host.clean
