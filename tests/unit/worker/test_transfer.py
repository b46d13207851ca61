"""Files move between two hosts: whole, sparse, on disk, or not at all."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compute import exception, metrics
from compute.objects.transfer import Offer, OfferedFile
from compute.objects.value import decode, encode
from compute.worker.transfer import incoming
from tests.unit.worker.transferring import MIB, Hosts, listens

SLACK = 64 * 1024


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    made = Hosts(tmp_path, transfer_address='127.0.0.1')
    yield made
    made.transfers.stop()


def allocated(path: Path) -> int:
    with path.open('rb') as file:
        os.fsync(file.fileno())  # space is allocated late
    return path.stat().st_blocks * 512


@pytest.mark.parametrize(('size', 'data'), [
    (0, {}), (1, {0: b'x'}), (64 * MIB, {}), (MIB, {0: b'x' * MIB}), (MIB + 1, {0: b'x' * (MIB + 1)}),
    (5 * MIB - 3, {MIB - 5: b'over the border', 5 * MIB - 6: b'end'}),
    (4096 * MIB, {0: os.urandom(3 * MIB), 700 * MIB + 4096: os.urandom(4096), 4095 * MIB: os.urandom(MIB)}),
    (9 * MIB, {each * 65536: os.urandom(4096) for each in range(100)}),
], ids=['empty', 'one byte', 'one hole', 'one block', 'block and a byte', 'borders', 'four GiB', 'many holes'])
def test_a_file_arrives_as_it_was(hosts: Hosts, size: int, data: dict[int, bytes]) -> None:
    original = hosts.write('disk', size, data)
    paths = hosts.fetch(hosts.offer(original))
    assert paths == {'disk': hosts.destination / 'disk'} and hosts.arrived() == ['disk']
    copy = paths['disk']
    assert copy.stat().st_size == size and copy.stat().st_mode & 0o777 == 0o600
    with original.open('rb') as first, copy.open('rb') as second:
        for offset, piece in {0: b'', max(0, size - 100): b'', **data}.items():
            first.seek(offset), second.seek(offset)
            assert first.read(len(piece) + 100) == second.read(len(piece) + 100), offset
    assert allocated(copy) <= allocated(original) + SLACK


def test_whole_content_is_equal(hosts: Hosts) -> None:
    original = hosts.disk(7)
    before = metrics.value('compute_transfer_bytes_total', 'sent'), metrics.value(
        'compute_transfer_bytes_total', 'received')
    copy = hosts.fetch(hosts.offer(original))['disk']
    assert copy.read_bytes() == original.read_bytes()
    assert hosts.progress[0] == (0, 7 * MIB) and hosts.progress[-1] == (7 * MIB, 7 * MIB)
    assert (metrics.value('compute_transfer_bytes_total', 'sent') - before[0],
            metrics.value('compute_transfer_bytes_total', 'received') - before[1]) == (7 * MIB, 7 * MIB)


def test_a_large_file_goes_to_disk_meanwhile(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(incoming, '_SYNC_EVERY', 2 * MIB)
    monkeypatch.setattr(os, 'fdatasync', synced.append)
    hosts.fetch(hosts.offer(hosts.disk(5)))
    assert len(synced) == 2


def test_many_files_share_one_transfer(hosts: Hosts) -> None:
    originals = [hosts.write(f'disk.{each}', each * 1000, {0: os.urandom(each * 1000)}) for each in range(60)]
    offer = hosts.offer(*originals)
    assert [file.name for file in offer.files] == [path.name for path in originals]
    paths = hosts.fetch(offer)
    assert {name: path.read_bytes() for name, path in paths.items()} == {
        path.name: path.read_bytes() for path in originals}
    assert not listens(offer) and hosts.transfers.active() == 0


def test_an_offer_of_nothing_ends_too(hosts: Hosts) -> None:
    offer = hosts.offer()
    assert hosts.fetch(offer) == {} and hosts.progress == [(0, 0)] and not listens(offer)


def test_an_offer_says_what_is_there_and_travels(hosts: Hosts) -> None:
    path = hosts.write('disk', 10 * MIB, {4 * MIB: os.urandom(2 * MIB)})
    offer = hosts.transfers.offer('server', {'root': path}, peers=('127.0.0.1',), lifetime=60,
                                  backing={'root': 'image.1'})
    assert offer.files == (OfferedFile(name='root', size=10 * MIB, data_bytes=2 * MIB),)
    assert offer.backing == {'root': 'image.1'} and offer.token not in repr(offer)
    assert decode(Offer, encode(offer)) == offer


def test_an_older_file_is_replaced(hosts: Hosts) -> None:
    (hosts.destination / 'disk').write_text('older')
    (hosts.destination / 'disk.part').write_text('left by a crash')
    copy = hosts.fetch(hosts.offer(hosts.write('disk', 3, {0: b'new'})))['disk']
    assert copy.read_text() == 'new' and hosts.arrived() == ['disk']


@pytest.mark.parametrize('name', ['../disk', 'a/b', '.hidden', '..', '', 'disk.part', 'a\nb', 'a\0b', 'é', '-x',
                                  'x' * 200])
def test_names_are_checked_at_both_ends(hosts: Hosts, name: str) -> None:
    path = hosts.write('disk', 3, {0: b'abc'})
    with pytest.raises(exception.Failed) as refused:
        hosts.transfers.offer('server', {name: path}, peers=('127.0.0.1',), lifetime=60)
    assert refused.value.code == 'transfer_refused' and hosts.transfers.active() == 0
    offer = hosts.offer(path)
    forged = dataclasses.replace(offer, files=(dataclasses.replace(offer.files[0], name=name),))
    with pytest.raises(exception.Failed) as refused:
        hosts.fetch(forged)
    assert refused.value.code == 'transfer_refused' and hosts.arrived() == []


def test_a_name_that_comes_twice_is_refused(hosts: Hosts) -> None:
    offer = hosts.offer(hosts.write('disk', 3, {0: b'abc'}))
    with pytest.raises(exception.Failed) as refused:
        hosts.fetch(dataclasses.replace(offer, files=offer.files * 2))
    assert refused.value.code == 'transfer_refused'


def test_what_cannot_be_offered(hosts: Hosts) -> None:
    with pytest.raises(exception.Failed) as missing:
        hosts.offer(hosts.source / 'nowhere')
    assert missing.value.code == 'disk_missing'
    os.mkfifo(hosts.source / 'pipe')
    for path in (hosts.source / 'pipe', hosts.source):
        with pytest.raises(exception.Failed) as special:
            hosts.offer(path)
        assert special.value.code == 'transfer_refused'
    assert hosts.transfers.active() == 0


# -- what goes wrong with files --

def patched(path: Path, offset: int, *, secretly: bool) -> None:
    """Change a byte of a file; secretly: the file's time stays."""
    before = path.stat()
    with path.open('r+b') as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))
    times = (before.st_atime_ns, before.st_mtime_ns + (0 if secretly else 1))
    os.utime(path, ns=times)


@pytest.mark.parametrize('secretly', [True, False])
@pytest.mark.parametrize('mebibytes', [1, 3])
def test_a_file_that_changes_after_the_offer_is_corrupt(hosts: Hosts, mebibytes: int, secretly: bool) -> None:
    path = hosts.disk(mebibytes)
    offer = hosts.offer(path, hosts.write('other', 3, {0: b'abc'}))
    if secretly and mebibytes > 1:  # nothing was read yet: it is as if it had been offered so
        offer = dataclasses.replace(offer, files=(dataclasses.replace(offer.files[0], sha256='0' * 64),
                                                  *offer.files[1:]))
    patched(path, 1000, secretly=secretly)
    with pytest.raises(exception.Failed) as corrupt:
        hosts.fetch(offer)
    assert corrupt.value.code == 'transfer_corrupt' and 'disk' in corrupt.value.message
    assert hosts.arrived() == []


@pytest.mark.parametrize('change', [Path.unlink, lambda path: os.truncate(path, MIB)], ids=['removed', 'shortened'])
def test_a_file_that_is_removed_or_shortened_is_not_sent(hosts: Hosts, change: Callable[[Path], object]) -> None:
    path = hosts.disk(2)
    offer = hosts.offer(path)
    change(path)
    with pytest.raises(exception.Failed) as corrupt:
        hosts.fetch(offer)
    assert corrupt.value.code == 'transfer_corrupt' and str(hosts.source) not in corrupt.value.message


def test_a_file_that_cannot_be_read_is_not_sent(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    offer = hosts.offer(hosts.disk(2))
    monkeypatch.setattr(os, 'pread', broken)
    with pytest.raises(exception.Failed) as corrupt:
        hosts.fetch(offer)
    assert corrupt.value.code == 'transfer_corrupt' and hosts.arrived() == []


def full(*args: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize('call', ['pwrite', 'ftruncate', 'fsync'])
def test_a_full_disk_leaves_nothing(hosts: Hosts, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    offer = hosts.offer(hosts.write('first', 0, {}), hosts.disk(3))
    (hosts.destination / 'disk').write_text('older')
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(exception.Retry) as error:
            hosts.fetch(offer)
    assert error.value.code == 'disk_full' and hosts.arrived() == ['disk']
    assert (hosts.destination / 'disk').read_text() == 'older'


def test_a_disk_without_room_is_not_filled(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = hosts.offer(hosts.disk(3))
    free = list(os.statvfs(hosts.destination))
    free[4] = 2 * MIB // free[1]
    monkeypatch.setattr(os, 'statvfs', lambda path: os.statvfs_result(free))
    with pytest.raises(exception.Retry) as error:
        hosts.fetch(offer)
    assert error.value.code == 'disk_full' and hosts.progress == []


def test_other_errors_of_the_disk_have_a_code(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    offer = hosts.offer(hosts.disk(2))
    monkeypatch.setattr(os, 'pwrite', broken)
    with pytest.raises(exception.Failed) as error:
        hosts.fetch(offer)
    assert error.value.code == 'disk_create' and hosts.arrived() == []


def test_files_that_have_their_names_go_too_when_the_end_fails(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = hosts.offer(hosts.write('first', 3, {0: b'abc'}), hosts.write('second', 3, {0: b'abc'}))
    replace = os.replace

    def second_fails(source: Path, target: Path) -> None:
        if target.name == 'second':
            full()
        replace(source, target)
    monkeypatch.setattr(os, 'replace', second_fails)
    with pytest.raises(exception.Retry):
        hosts.fetch(offer)
    assert hosts.arrived() == []
