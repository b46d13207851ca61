"""What the doctor says of clock, names, broker, databases and certificates, and how it prints all of it."""

from __future__ import annotations

import datetime
import json
import pathlib
import re
import sqlite3
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from compute import exception
from compute.cmd import check
from compute.cmd.doctor import CHECKS, broker, certificates, databases, name_resolution, time_sync
from compute.cmd.doctor.diagnosis import FAILURE, OK, UNKNOWN, WARNING
from compute.cmd.doctor.machine import Done, Machine
from compute.cmd.stores import named
from tests.unit.cmd.doctor.making import FakeMachine, make_conf
from tests.unit.cmd.doctor.test_host import found

TIMEDATECTL = 'timedatectl show --property=NTPSynchronized --value'
CHRONY = 'chronyc -n tracking'


@pytest.mark.parametrize(('programs', 'level'), [
    ({TIMEDATECTL: 'yes'}, OK), ({TIMEDATECTL: 'no'}, WARNING), ({}, UNKNOWN),
    ({TIMEDATECTL: 'no', CHRONY: 'Leap status     : Normal'}, OK),
    ({CHRONY: 'Leap status     : Not synchronised'}, WARNING)])
def test_the_clock(programs: dict[str, str | int | Done], level: str) -> None:
    only, = found(time_sync.look(FakeMachine(programs=programs), make_conf()))
    assert only[0] == level


@pytest.mark.parametrize(('names', 'levels'), [
    ({'localhost': (['127.0.0.1'], 0.0), 'h1': (['192.0.2.1'], 0.0)}, [OK]),
    ({'localhost': (['192.0.2.9'], 0.0), 'h1': (['192.0.2.1'], 0.0)}, [FAILURE, OK]),
    ({'localhost': (['::1'], 0.0)}, [WARNING]),
    ({'localhost': (['::1'], 0.0), 'h1': (['192.0.2.1'], 5.0)}, [WARNING])])
def test_names(names: dict[str, tuple[list[str], float]], levels: list[str]) -> None:
    assert [each[0] for each in found(name_resolution.look(FakeMachine(names=names), make_conf(host='h1')))] == levels


@pytest.mark.parametrize(('answer', 'level', 'word'), [
    ('3.10.8', OK, '3.10.8'), ('3.6.2', FAILURE, 'older than 3.8'), (exception.Unavailable('no'), FAILURE, 'h1:5672'),
    (exception.Unauthorized('no'), FAILURE, 'refuses the login')])
def test_the_broker(monkeypatch: pytest.MonkeyPatch, answer: Any, level: str, word: str) -> None:
    def version(*where: Any) -> str:
        if isinstance(answer, Exception):
            raise answer
        return str(answer)
    monkeypatch.setattr(broker, 'server_version', version)
    conf = make_conf()
    import oslo_messaging
    oslo_messaging.TransportURL.parse(conf, 'rabbit://')  # registers the option
    conf.set_override('transport_url', 'rabbit://u:secret@h1/v')
    only, = found(broker.look(FakeMachine(), conf))
    assert only[0] == level and word in only[1] and 'secret' not in only[1]


def test_a_broker_that_is_not_there(unused_port: int) -> None:
    import oslo_messaging
    host = oslo_messaging.TransportHost('127.0.0.1', unused_port, 'u', 'p')
    with pytest.raises(exception.Unavailable):
        broker.server_version(host, '/')


@pytest.fixture
def unused_port() -> int:
    import socket
    with socket.socket() as holder:
        holder.bind(('127.0.0.1', 0))
        return int(holder.getsockname()[1])


def test_the_databases(tmp_path: pathlib.Path) -> None:
    conf = make_conf(database__connection=f'sqlite:///{tmp_path}/compute.sqlite')
    only, = found(databases.look(Machine(), conf))
    assert only[0] == WARNING and 'compute-manage db sync' in only[1]
    store, = named('compute')
    database = store.open(conf)
    store.upgrade(database)
    database.dispose()
    only, = found(databases.look(Machine(), conf))
    assert only[0] == OK and f'SQLite {sqlite3.sqlite_version}' in only[1]


def test_a_database_that_does_not_answer(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'folder').mkdir()
    conf = make_conf(database__image_connection=f'sqlite:///{tmp_path}/folder', database__max_retries=0)
    only, = found(databases.look(Machine(), conf))
    assert only[0] == FAILURE and '[database] image_connection' in only[1] and str(tmp_path) not in only[1]


def test_a_host_has_no_database() -> None:
    only, = found(databases.look(Machine(), make_conf()))
    assert only[0] == OK


def certificate(days: int) -> str:
    """Return a certificate that ends in so many days."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'x')])
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days, hours=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(
        1).not_valid_before(ends - datetime.timedelta(days=365)).not_valid_after(ends).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(('text', 'level'), [
    (certificate(300), OK), (certificate(10), WARNING), (certificate(-1), FAILURE),
    (certificate(300) + certificate(5), WARNING), ('nothing', FAILURE), (None, FAILURE)])
def test_certificates(text: str | None, level: str) -> None:
    machine = FakeMachine(files={} if text is None else {'/ca.pem': text})
    first, *_ = found(certificates.look(machine, make_conf(service_user__cafile='/ca.pem')))
    assert first[0] == level and '[service_user] cafile' in first[1]


def test_no_certificate_is_fine() -> None:
    assert [each[0] for each in found(certificates.look(FakeMachine(), make_conf()))] == [OK]


def test_the_status_is_that_of_the_worst(capsys: pytest.CaptureFixture[str]) -> None:
    conf = make_conf(host='h1', virt__driver='fake')
    good = {'localhost': (['::1'], 0.0), 'h1': (['192.0.2.1'], 0.0)}
    assert check.run(conf, ['names'], False, FakeMachine(names=good)) == 0
    assert check.run(conf, ['names', 'time'], False, FakeMachine(names=good, programs={TIMEDATECTL: 'no'})) == 1
    assert check.run(conf, ['names', 'time'], False, FakeMachine(programs={TIMEDATECTL: 'no'})) == 2
    text = capsys.readouterr().out
    assert 'FAIL  names: localhost is not known' in text and '      remedy: put "127.0.0.1 localhost"' in text


def test_json_has_each_finding(capsys: pytest.CaptureFixture[str]) -> None:
    check.run(make_conf(host='h1'), ['time'], True, FakeMachine(programs={TIMEDATECTL: 'yes'}))
    assert json.loads(capsys.readouterr().out) == [
        {'check': 'time', 'level': 'ok', 'found': 'the clock is synchronised', 'remedy': ''}]


def test_a_check_that_breaks_keeps_nobody_from_the_others() -> None:
    machine = FakeMachine(files={'/dev/kvm': ''})  # whose owner this machine does not tell
    names = {name for name, each in check.diagnose(make_conf(), (), machine)}
    assert names >= {'kvm', 'time', 'certificates'}


def test_a_controller_is_not_asked_for_kvm() -> None:
    names = {name for name, _ in check.diagnose(make_conf(virt__driver='fake'), (), FakeMachine())}
    assert not names & {each.name for each in CHECKS if each.host}


def test_the_real_machine_answers(tmp_path: pathlib.Path) -> None:
    """Whatever this machine is, each check says something and none of them breaks."""
    conf = make_conf(libvirt__instances_path=str(tmp_path))
    listed = list(check.diagnose(conf, [each.name for each in CHECKS if each.name != 'broker'], Machine()))
    assert not [each.found for _, each in listed if 'the check itself failed' in each.found]
    assert {name for name, _ in listed} == {each.name for each in CHECKS if each.name != 'broker'}


def test_the_page_lists_every_check() -> None:
    page = (pathlib.Path(__file__).parents[4] / 'doc' / 'doctor.rst').read_text()
    assert re.findall(r'^   \* - ``([a-z-]+)``$', page, re.MULTILINE) == [each.name for each in CHECKS]
