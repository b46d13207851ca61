"""Connections break, and the transfer goes on where it was; or it ends, and leaves nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compute import exception
from compute.worker.transfer import fetch as destination
from compute.worker.transfer.framing import DATA, END, FAILED, json_object
from compute.worker.transfer.incoming import Incoming
from compute.worker.transfer.outgoing import Outgoing
from tests.clock import Clock
from tests.unit.worker.transferring import MIB, Hosts, Proxy, listens


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    made = Hosts(tmp_path, transfer_address='127.0.0.1')
    yield made
    made.transfers.stop()


class Ticking(Clock):
    """A clock that sleep sets forward."""

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    made = Ticking()
    monkeypatch.setattr(destination, 'time', made)
    return made


@pytest.mark.parametrize('limits', [
    (0,), (100,), (1200,), (3000,), (500_000,), (MIB + 5000,), (3 * MIB,), (3 * MIB + 200_000,),
    (0, 700, 2 * MIB, 1500, 2 * MIB + 300_000)])
def test_a_broken_connection_is_resumed(hosts: Hosts, clock: Ticking, limits: tuple[int, ...]) -> None:
    originals = [hosts.write('first', 3, {0: b'abc'}), hosts.write('disk', 9 * MIB, {
        0: os.urandom(3 * MIB // 2), 5 * MIB: os.urandom(2 * MIB), 8 * MIB: b'end'})]
    with Proxy(hosts.offer(*originals), limits) as proxy:
        paths = hosts.fetch(proxy.offer)
    assert {name: path.read_bytes() for name, path in paths.items()} == {
        path.name: path.read_bytes() for path in originals}
    assert proxy.connections == len(limits) + 1
    done = [done for done, _ in hosts.progress]
    assert done == sorted(done) and hosts.progress[-1][0] == hosts.progress[-1][1]


@pytest.mark.parametrize('share', [0.5, 0.9, 0.999, 0.99999, 1])
def test_a_connection_that_breaks_near_the_end_is_resumed(hosts: Hosts, clock: Ticking, share: float) -> None:
    original = hosts.disk(2)
    with Proxy(hosts.offer(original)) as proxy:
        hosts.fetch(proxy.offer)
    with Proxy(hosts.offer(original), (int(proxy.passed * share),)) as proxy:
        assert hosts.fetch(proxy.offer)['disk'].read_bytes() == original.read_bytes()


def test_only_what_is_missing_is_sent_again(hosts: Hosts, clock: Ticking) -> None:
    original = hosts.disk(4)
    with Proxy(hosts.offer(original), (3 * MIB + MIB // 2,)) as proxy:
        hosts.fetch(proxy.offer)
    assert 4.5 * MIB < proxy.passed < 4.6 * MIB, 'the block that was not complete came twice'


def test_a_transfer_that_is_not_resumed_in_time_fails(hosts: Hosts, clock: Ticking) -> None:
    offer = hosts.offer(hosts.disk(1))
    hosts.transfers.stop()
    checks: list[float] = []
    began = clock.now
    with pytest.raises(exception.Unavailable) as error:
        hosts.fetch(offer, patience=60, check=lambda: checks.append(clock.now))
    assert error.value.code == 'transfer_interrupted' and clock.now - began == pytest.approx(60)
    assert max(later - earlier for earlier, later in zip(checks, checks[1:], strict=False)) <= 1
    assert hosts.arrived() == []


def test_patience_begins_anew_with_each_byte(hosts: Hosts, clock: Ticking) -> None:
    original = hosts.disk(8)
    limits = tuple(MIB + MIB // 2 for _ in range(7))

    def progress(done: int, total: int) -> None:
        clock.advance(50)
    with Proxy(hosts.offer(original), limits) as proxy:
        assert hosts.fetch(proxy.offer, patience=60, progress=progress)['disk'].read_bytes() == original.read_bytes()


def test_a_withdrawn_offer_ends_the_transfer(hosts: Hosts) -> None:
    offer = hosts.offer(hosts.disk(24))

    def progress(done: int, total: int) -> None:
        if done:
            hosts.transfers.withdraw('server')
    with pytest.raises(exception.Unavailable) as error:
        hosts.fetch(offer, progress=progress, patience=0)
    assert error.value.code == 'transfer_interrupted' and hosts.arrived() == []
    assert not listens(offer) and hosts.transfers.active() == 0


@pytest.mark.parametrize('checks', [1, 2, 5])
def test_a_cancelled_transfer_ends(hosts: Hosts, checks: int) -> None:
    offer = hosts.offer(hosts.disk(4))
    left = iter(range(checks - 1))

    def check() -> None:
        if next(left, None) is None:
            raise exception.Stale('cancelled')
    with pytest.raises(exception.Stale):
        hosts.fetch(offer, check=check)
    assert hosts.arrived() == []


def test_a_transfer_is_cancelled_while_nothing_comes(hosts: Hosts) -> None:
    cancelled = threading.Event()
    checked: list[bool] = []

    def check() -> None:
        checked.append(True)
        if cancelled.is_set():
            raise exception.Stale('cancelled')
        if len(checked) == 4:
            cancelled.set()
    with Proxy(hosts.offer(hosts.disk(1)), hold=True) as proxy, pytest.raises(exception.Stale):
        hosts.fetch(proxy.offer, check=check)
    assert proxy.connections == 1


def test_a_source_that_is_silent_is_given_up(hosts: Hosts) -> None:
    with Proxy(hosts.offer(hosts.disk(1)), hold=True) as proxy, pytest.raises(exception.Unavailable) as error:
        hosts.fetch(proxy.offer, patience=0)
    assert error.value.code == 'transfer_interrupted'


# -- one file, frame by frame --

class Frames:
    """Takes the frames of a file, so many of them; then the connection breaks."""

    def __init__(self, most: int) -> None:
        self._most, self.frames = most, []  # type: ignore[var-annotated]

    def send_frame(self, kind: int, offset: int, payload: bytes, pace: Any = None) -> None:
        if len(self.frames) == self._most:
            raise ConnectionResetError
        self.frames.append((kind, offset, bytes(payload)))


def sent(file: Outgoing, start: int, most: int = 100) -> list[tuple[int, int, bytes]]:
    wire = Frames(most)
    try:
        file.send(wire, start, lambda count: None)  # type: ignore[arg-type]
    except ConnectionResetError:
        pass
    return wire.frames


def taken(file: Incoming, frames: list[tuple[int, int, bytes]]) -> None:
    for kind, offset, payload in frames:
        if kind == DATA:
            file.write(offset, bytearray(payload))
        else:
            assert kind == END
            file.finish(json_object(payload)['sha256'])


@pytest.mark.parametrize('arrived', range(6))
@pytest.mark.parametrize('went', range(6))
def test_the_digest_goes_on_wherever_it_was_broken(hosts: Hosts, went: int, arrived: int) -> None:
    if arrived > went:
        return
    path = hosts.write('disk', 7 * MIB, {0: os.urandom(2 * MIB), 4 * MIB + 5: os.urandom(MIB), 6 * MIB: bytes(100)})
    source, copy = Outgoing('disk', path), Incoming(Outgoing('disk', path).offered, hosts.destination)
    assert copy.resume() == 0
    taken(copy, sent(source, 0, went)[:arrived])
    for _ in range(2):  # all of it comes once more
        taken(copy, sent(source, copy.resume())[:-1])
    taken(copy, sent(source, copy.resume()))
    assert copy.complete and copy.received == source.offered.data_bytes


def test_a_change_between_two_connections_is_found(hosts: Hosts) -> None:
    path = hosts.disk(3)
    source = Outgoing('disk', path)
    copy = Incoming(source.offered, hosts.destination)
    copy.resume()
    taken(copy, sent(source, 0, most=3)[:1])
    before = path.stat()
    with path.open('r+b') as file:
        file.seek(MIB + 1)
        file.write(b'changed')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(exception.Failed) as corrupt:
        taken(copy, sent(source, copy.resume()))
    assert corrupt.value.code == 'transfer_corrupt' and not copy.complete


@pytest.mark.parametrize('start', [-MIB, 1, 4 * MIB, 10 * MIB])
def test_a_file_is_not_sent_from_anywhere(hosts: Hosts, start: int) -> None:
    source = Outgoing('disk', hosts.disk(3))
    sent(source, 0, most=2)
    with pytest.raises(ConnectionError):
        source.send(Frames(100), start, lambda count: None)  # type: ignore[arg-type]


@pytest.mark.parametrize('frame', [(5, b'ab'), (MIB - 1, b'ab'), (3 * MIB - 1, b'ab'), (MIB + 1, b'')])
def test_data_out_of_place_is_corrupt(hosts: Hosts, frame: tuple[int, bytes]) -> None:
    copy = Incoming(Outgoing('disk', hosts.disk(3)).offered, hosts.destination)
    copy.resume()
    assert copy.write(10, bytearray(b'abc')) == 3
    with pytest.raises(exception.Failed) as corrupt:
        copy.write(frame[0], bytearray(frame[1]))
    assert corrupt.value.code == 'transfer_corrupt'


def test_what_is_missing_at_the_end_is_found(hosts: Hosts) -> None:
    source = Outgoing('disk', hosts.disk(3))
    copy = Incoming(source.offered, hosts.destination)
    copy.resume()
    frames = sent(source, 0)
    assert [frame[0] for frame in frames] == [DATA, DATA, DATA, END] and FAILED not in frames[-1]
    with pytest.raises(exception.Failed):
        taken(copy, [frames[0], *frames[2:]])


def test_a_client_that_was_started_again_goes_on_with_its_session(hosts: Hosts) -> None:
    original, session = hosts.disk(3), destination.new_session()
    offer = hosts.offer(original)

    def stop(done: int, total: int) -> None:
        if done >= MIB:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        hosts.fetch(offer, progress=stop, session=session)
    with pytest.raises(exception.Failed) as caught:
        hosts.fetch(offer)
    assert caught.value.code == 'transfer_refused'
    paths = hosts.fetch(offer, session=session)
    assert paths['disk'].read_bytes() == original.read_bytes()


def test_only_some_of_the_files_are_fetched(hosts: Hosts) -> None:
    offer = hosts.offer(hosts.disk(1), hosts.disk(1, 'image'))
    assert list(hosts.fetch(offer, names=('disk', 'unknown'))) == ['disk'] == hosts.arrived()
    assert hosts.progress[-1] == (MIB, MIB) and not listens(offer)
