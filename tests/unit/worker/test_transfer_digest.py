"""What a digest depends on, where the data of a file is, and the limit of all transfers."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from compute.worker.transfer import extents, throttle
from compute.worker.transfer.digest import ContentDigest, of_file
from compute.worker.transfer.extents import BLOCK
from compute.worker.transfer.throttle import Throttle
from tests.clock import Clock

MAX = 1 << 62


def made(path: Path, size: int, data: dict[int, bytes]) -> int:
    """Make a file and return a descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, size)
    for offset, piece in data.items():
        os.pwrite(descriptor, piece, offset)
    os.fsync(descriptor)
    return descriptor


def test_zeros_count_the_same_as_holes(tmp_path: Path) -> None:
    size, data = 5 * BLOCK + 17, {2 * BLOCK + 4096: b'data' * 1024, 5 * BLOCK: b'end'}
    sparse = made(tmp_path / 'sparse', size, data)
    zeros = {each * BLOCK: bytes(BLOCK) for each in range(5)} | {5 * BLOCK: bytes(17)}
    full = made(tmp_path / 'full', size, zeros)
    for offset, piece in data.items():
        os.pwrite(full, piece, offset)
    assert extents.data_bytes(sparse, size) < extents.data_bytes(full, size) == size
    assert of_file(sparse, size) == of_file(full, size)
    os.close(sparse), os.close(full)


def test_a_digest_is_of_content_place_and_size() -> None:
    def digest(size: int, *pieces: tuple[int, bytes]) -> str:
        made = ContentDigest()
        for offset, data in pieces:
            made.feed(offset, data)
        return made.finish(size)
    found = [digest(0), digest(1), digest(BLOCK), digest(2 * BLOCK), digest(1, (0, b'x')), digest(2, (0, b'x')),
             digest(2, (1, b'x')), digest(2 * BLOCK, (0, b'x')), digest(2 * BLOCK, (BLOCK, b'x')),
             digest(2 * BLOCK, (0, b'x'), (BLOCK, b'x'))]
    assert len(set(found)) == len(found)
    assert digest(BLOCK, (0, b'ab')) == digest(BLOCK, (0, b'a'), (1, b'b')) == digest(BLOCK, (0, b'ab'), (9, b'\0'))
    # Fixed: a source and a destination of two releases must agree.
    spelled = b''.join((bytes(8), b'ab'.ljust(BLOCK, b'\0'), bytes(7), b'\2', b'c'.ljust(BLOCK, b'\0'),
                        (2 * BLOCK + 1).to_bytes(8, 'big')))
    assert digest(2 * BLOCK + 1, (0, b'ab'), (2 * BLOCK, b'c')) == hashlib.sha256(spelled).hexdigest()


def test_what_comes_again_changes_nothing() -> None:
    once, again = ContentDigest(), ContentDigest()
    pieces = [(0, b'a'), (BLOCK - 1, b'b'), (3 * BLOCK, b'c'), (4 * BLOCK + 5, b'd')]
    for offset, data in pieces:
        once.feed(offset, data)
    for offset, data in (*pieces[:3], *pieces[:2]):
        again.feed(offset, data)
    assert again.restart() == 3 * BLOCK
    for offset, data in pieces:
        again.feed(offset, data)
    assert once.finish(9 * BLOCK) == again.finish(9 * BLOCK) == again.finish(9 * BLOCK)


@pytest.mark.parametrize('start', [0, BLOCK, 2 * BLOCK, 4 * BLOCK, 6 * BLOCK])
def test_data_is_cut_at_blocks(tmp_path: Path, start: int) -> None:
    size = 6 * BLOCK + 100
    descriptor = made(tmp_path / 'disk', size, {4096: b'x' * (2 * BLOCK), 6 * BLOCK: b'y' * 100})
    pieces = [(4096, BLOCK - 4096), (BLOCK, BLOCK), (2 * BLOCK, 4096), (6 * BLOCK, 100)]
    assert list(extents.pieces(descriptor, size, start)) == [piece for piece in pieces if piece[0] >= start]
    assert extents.data_bytes(descriptor, size) == 2 * BLOCK + 100
    os.close(descriptor)


def test_a_file_system_that_knows_no_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: int) -> int:
        raise OSError(errno.EINVAL, 'no such thing')
    descriptor = made(tmp_path / 'disk', 2 * BLOCK, {BLOCK: b'x'})
    monkeypatch.setattr(os, 'lseek', unknown)
    assert list(extents.pieces(descriptor, 2 * BLOCK, 0)) == [(0, BLOCK), (BLOCK, BLOCK)]
    os.close(descriptor)


# -- the limit --

@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(throttle, 'time', made)
    return made


def test_bytes_pass_at_the_rate(clock: Clock) -> None:
    limit, began = Throttle(lambda: 1000.0), clock.now
    for _ in range(11):
        limit.take(500, clock.advance)
    assert clock.now - began == pytest.approx(5 - throttle._BURST)
    clock.advance(100)  # what was not used is lost
    again = clock.now
    for _ in range(3):
        limit.take(1000, clock.advance)
    assert clock.now - again == pytest.approx(2 - throttle._BURST)


def test_several_take_turns(clock: Clock) -> None:
    limit = Throttle(lambda: 1000.0)
    waits: list[float] = []
    for _ in range(4):
        limit.take(1000, waits.append)  # none of them has ended its wait
    assert waits == pytest.approx([1 - throttle._BURST, 2 - throttle._BURST, 3 - throttle._BURST])


def test_the_rate_can_change_and_be_none(clock: Clock) -> None:
    rate = [0.0]
    limit = Throttle(lambda: rate[0])
    waits: list[float] = []
    limit.take(MAX, waits.append)
    assert waits == []
    rate[0] = 10.0
    limit.take(100, waits.append)
    limit.take(100, waits.append)
    rate[0] = 0.0
    limit.take(MAX, waits.append)
    assert waits == pytest.approx([10 - throttle._BURST])
