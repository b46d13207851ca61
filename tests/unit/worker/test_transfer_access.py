"""Who gets the files of an offer: the host it is for, with the token, once; and when anything listens."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from compute import exception, metrics
from compute.objects.transfer import Offer
from compute.worker.transfer import admission, certificate, serving
from compute.worker.transfer.framing import Ended, FramedSocket
from compute.worker.transfer.throttle import Throttle
from tests.clock import Clock
from tests.ports import free_ports
from tests.unit.worker.transferring import MIB, NONCE, Hosts, connected, hello, listens
from tests.waiting import LONG, wait_until


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    made = Hosts(tmp_path, transfer_address='127.0.0.1')
    yield made
    made.transfers.stop()
    wait_until(lambda: not threads(), 'the end of all threads of transfers')


@pytest.fixture
def offer(hosts: Hosts) -> Offer:
    return hosts.offer(hosts.disk(2))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(serving, 'time', made)
    return made


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith('transfer')]


def refused(reason: str) -> float:
    return metrics.value('compute_transfer_refused_total', reason)


def gets_nothing(sock: socket.socket) -> bool:
    """Return whether a connection is closed, without anything that came."""
    sock.settimeout(LONG)
    try:
        return sock.recv(1) == b''
    except ConnectionError:
        return True


def ends(wire: FramedSocket) -> bool:
    """Return whether a connection in TLS is closed, without anything that came."""
    try:
        wire.receive_message()
    except OSError as error:
        return not isinstance(error, TimeoutError)
    return False


# -- when anything listens --

def test_nothing_listens_before_and_after(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    hosts = Hosts(tmp_path, transfer_address='127.0.0.1', transfer_ports=str(port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', port), LONG)
    offer = hosts.offer(hosts.disk(2))
    assert offer.port == port and listens(offer) and hosts.transfers.active() == 1
    hosts.fetch(offer)
    assert not listens(offer) and hosts.transfers.active() == 0
    wait_until(lambda: not threads(), 'the end of all threads of transfers')
    hosts.fetch(hosts.offer(hosts.disk(1)))  # the port can be used again at once


@pytest.mark.parametrize('end', [lambda transfers: transfers.withdraw('server'), lambda transfers: transfers.stop()],
                         ids=['withdraw', 'stop'])
def test_an_offer_is_closed(hosts: Hosts, offer: Offer, end: Callable[[Any], object]) -> None:
    before = [refused(reason) for reason in ('tls', 'hello')]
    with connected(offer) as admitted, connected(offer) as silent:
        hello(admitted, offer.token)
        end(hosts.transfers)
        assert not listens(offer) and hosts.transfers.active() == 0
        assert ends(admitted) and ends(silent)
    wait_until(lambda: not threads(), 'the end of all threads of transfers')
    assert [refused(reason) for reason in ('tls', 'hello')] == before, 'the source broke them itself'
    end(hosts.transfers)


def test_a_stopped_source_opens_no_more(hosts: Hosts) -> None:
    hosts.transfers.stop()
    with pytest.raises(exception.Unavailable):
        hosts.offer(hosts.disk(1))
    assert not threads()


def test_an_offer_ends_with_its_lifetime(hosts: Hosts, clock: Clock) -> None:
    offer = hosts.offer(hosts.disk(2), lifetime=100)
    with connected(offer) as wire:
        hello(wire, offer.token)
        clock.advance(99)
        assert listens(offer) and hosts.transfers.active() == 1
        clock.advance(1)
        assert ends(wire)
    wait_until(lambda: not hosts.transfers.active(), 'the end of the offer')
    assert not listens(offer)


def test_a_new_offer_takes_the_place_of_one_with_the_same_key(hosts: Hosts, offer: Offer) -> None:
    newer = hosts.offer(hosts.disk(1))
    assert hosts.transfers.active() == 1 and not listens(offer) and newer.token != offer.token
    hosts.fetch(newer)


def test_offers_share_the_ports_there_are(tmp_path: Path) -> None:
    ports = free_ports(100)
    first, second = next(pair for pair in itertools.pairwise(ports) if pair[1] == pair[0] + 1)
    hosts = Hosts(tmp_path, transfer_address='127.0.0.1', transfer_ports=f'{first}-{second}')
    disk = hosts.disk(1)
    offers = [hosts.offer(disk, key=key) for key in ('a', 'b')]
    assert {offer.port for offer in offers} == {first, second} and offers[0].fingerprint != offers[1].fingerprint
    with pytest.raises(exception.Unavailable) as full:
        hosts.offer(disk, key='c')
    assert full.value.code == 'transfer_listen' and hosts.transfers.active() == 2
    hosts.transfers.withdraw('a')
    hosts.offer(disk, key='c')
    hosts.transfers.stop()


def test_a_foreign_address_cannot_be_listened_at(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path, transfer_address='192.0.2.1')
    with pytest.raises(exception.Unavailable) as error:
        hosts.offer(hosts.disk(1))
    assert error.value.code == 'transfer_listen' and hosts.transfers.active() == 0


@pytest.mark.parametrize('address', [None, '0.0.0.0'])
@pytest.mark.parametrize('peer', ['127.0.0.1', '::ffff:127.0.0.1'])
def test_the_address_is_the_one_towards_the_destination(tmp_path: Path, address: str | None, peer: str) -> None:
    hosts = Hosts(tmp_path, transfer_address=address)
    offer = hosts.offer(hosts.disk(1), peers=(peer,))
    assert offer.address == '127.0.0.1'
    hosts.fetch(offer)


def test_an_offer_is_for_somebody(hosts: Hosts) -> None:
    with pytest.raises(ValueError, match='destination'):
        hosts.offer(hosts.disk(1), peers=())
    assert hosts.transfers.active() == 0


# -- addresses, certificate, TLS --

@pytest.mark.parametrize(('address', 'plain'), [
    ('10.0.0.1', '10.0.0.1'), ('::ffff:10.0.0.1', '10.0.0.1'), ('::FFFF:a00:1', '10.0.0.1'),
    ('2001:DB8::0:1', '2001:db8::1')])
def test_addresses_are_compared_in_one_form(address: str, plain: str) -> None:
    assert admission.plain_address(address) == plain
    assert admission.Admission('t', [address]).expects(plain) and admission.Admission('t', [plain]).expects(address)
    assert not admission.Admission('t', [address]).expects('10.0.0.2')


def test_another_host_is_not_let_in(hosts: Hosts, offer: Offer) -> None:
    before = refused('peer')
    with socket.create_connection((offer.address, offer.port), LONG, ('127.0.0.2', 0)) as sock:
        assert gets_nothing(sock)
    assert refused('peer') == before + 1
    theirs = hosts.offer(hosts.disk(1, 'theirs'), key='theirs', peers=('127.0.0.2', '127.0.0.3'))
    with pytest.raises(exception.Unavailable):
        hosts.fetch(theirs, patience=0)
    with connected(theirs, at='127.0.0.3') as wire:
        assert hello(wire, theirs.token)['welcome']
    hosts.fetch(offer)


def test_a_host_connects_from_the_address_that_is_expected(hosts: Hosts) -> None:
    hosts.fetch(hosts.offer(hosts.disk(1), peers=('127.0.0.3',)), address='127.0.0.3', patience=0)


def test_another_certificate_gets_no_token(hosts: Hosts, offer: Offer) -> None:
    other = hosts.offer(hosts.disk(1, 'other'), key='other')
    with pytest.raises(exception.Failed) as error:
        hosts.fetch(dataclasses.replace(offer, fingerprint=other.fingerprint))
    assert error.value.code == 'transfer_refused' and hosts.arrived() == []
    hosts.fetch(offer)  # nobody has presented its token


def test_older_tls_is_refused(offer: Offer) -> None:
    context, before = certificate.client_context(), refused('tls')
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError, match=r'(?i)version|eof|reset'), connected(offer, context=context):
        raise AssertionError('the handshake succeeded')
    wait_until(lambda: refused('tls') == before + 1, 'the refusal')


def test_the_key_of_a_transfer_is_in_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read: list[str] = []
    load = ssl.SSLContext.load_cert_chain
    monkeypatch.setattr(ssl.SSLContext, 'load_cert_chain',
                        lambda context, path: (read.append(str(Path(path).readlink())), load(context, path)))
    _, first = certificate.server_context(60)
    _, second = certificate.server_context(60)
    assert first != second and len(first) == 64
    assert all(path.startswith('/memfd:') and path.endswith(' (deleted)') for path in read) and len(read) == 2


# -- the token --

def test_the_token_belongs_to_the_first_client(hosts: Hosts, offer: Offer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = refused('token')
    with connected(offer) as first:
        assert hello(first, offer.token) == {'welcome': True}
        with connected(offer) as second, pytest.raises(Ended):
            hello(second, offer.token, 'm' * 32)
        with pytest.raises(exception.Failed) as error:
            hosts.fetch(offer)
        assert error.value.code == 'transfer_refused'
        first.send_message({'file': 'disk', 'from': 0})
        assert first.receive_frame(MIB)[1:2] == (0,)
    assert refused('token') == before + 2
    assert 'its token is wrong' in caplog.text and offer.token not in caplog.text and NONCE not in caplog.text


@pytest.mark.parametrize(('token', 'session', 'more'), [
    ('wrong', NONCE, {}), ('', NONCE, {}), (None, NONCE, {}), (7, NONCE, {}), ('é\ud800', NONCE, {}),
    ('right', 'short', {}), ('right', None, {}), ('right', NONCE, {'version': 2})])
def test_a_wrong_token_gets_nothing(hosts: Hosts, offer: Offer, token: Any, session: Any, more: Any) -> None:
    before = refused('token')
    with connected(offer) as wire, pytest.raises(Ended):
        hello(wire, offer.token if token == 'right' else token, session, **more)
    assert refused('token') == before + 1
    hosts.fetch(offer)


def test_a_resumed_session_ends_its_older_connection(offer: Offer) -> None:
    with connected(offer) as older:
        hello(older, offer.token)
        with connected(offer) as newer:
            assert hello(newer, offer.token)['welcome']
            assert ends(older)
            newer.send_message({'done': True})
            assert newer.receive_message() == {'done': True}
    assert not listens(offer)


@pytest.mark.parametrize('request_', [{'file': 'other', 'from': 0}, {'file': '../disk', 'from': 0}, {'file': 'disk'},
                                      {'file': 'disk', 'from': '0'}, {'from': 0}, {}, {'file': ['disk'], 'from': 0}])
def test_only_what_was_offered_is_sent(offer: Offer, request_: dict[str, Any]) -> None:
    before = refused('file')
    with connected(offer) as wire:
        hello(wire, offer.token)
        wire.send_message(request_)
        with pytest.raises(Ended):
            wire.receive_message()
    assert refused('file') == before + 1 and listens(offer)


# -- clients that are slow, or many --

@pytest.mark.parametrize('data', [b'\x00\x00\xff\xff', b'\x00\x00\x00\x02[]', b'\x00\x00\x00\x02{x',
                                  b'\x00\x00\x0f\xa0' + b'[' * 4000, b'\x00\x00\x00\x01\xff'])
def test_a_message_that_is_none_ends_the_connection(offer: Offer, data: bytes) -> None:
    before = refused('hello')
    with connected(offer) as wire:
        wire._send(memoryview(data))
        assert ends(wire)
    assert refused('hello') == before + 1 and listens(offer)


def test_silent_clients_keep_nobody_out(hosts: Hosts, offer: Offer) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection((offer.address, offer.port), LONG)) for _ in range(30)]
        in_tls = [stack.enter_context(connected(offer)) for _ in range(5)]
        wait_until(lambda: threads().count('transfer-serve') <= serving._MOST, 'the end of clients without room')
        assert sorted(hosts.fetch(offer)) == ['disk']
        assert all(gets_nothing(sock) for sock in silent) and all(ends(wire) for wire in in_tls)


def test_a_slow_client_is_sent_away(offer: Offer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, '_HELLO', LONG)  # the silence alone is not what ends it: a byte may come at times
    with socket.create_connection((offer.address, offer.port), LONG) as silent, connected(offer) as in_tls, \
            connected(offer) as admitted:
        hello(admitted, offer.token)
        clock.advance(LONG)
        assert gets_nothing(silent) and ends(in_tls)
        admitted.send_message({'file': 'disk', 'from': 0})
        assert admitted.receive_frame(MIB)[1] == 0


# -- the rate --

def test_all_transfers_of_a_host_share_its_rate(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[Throttle, int]] = []
    monkeypatch.setattr(Throttle, 'take', lambda throttle, count, wait: taken.append((throttle, count)))
    offers = [hosts.offer(hosts.disk(1, name), key=name) for name in ('a', 'b')]
    for each in offers:
        hosts.fetch(each)
    assert len({id(throttle) for throttle, _ in taken}) == 1 and sum(count for _, count in taken) == 2 * MIB


def test_a_transfer_that_waits_for_its_turn_is_withdrawn(hosts: Hosts) -> None:
    hosts.conf.set_override('transfer_rate', 1, 'worker')
    offer = hosts.offer(hosts.disk(2))
    with connected(offer) as wire:
        hello(wire, offer.token)
        wire.send_message({'file': 'disk', 'from': 0})
        hosts.transfers.withdraw('server')
        wait_until(lambda: not threads(), 'the end of all threads of transfers')
