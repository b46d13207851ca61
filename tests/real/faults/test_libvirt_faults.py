"""Faults on a host with real guests: its worker dies, and its libvirtd.

The rows are ``guest_table.GATE``, the endurance set tries all; see ``test_matrix`` for what a row is. Everything runs
on green threads, unless others are asked for.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests import threads
from tests.real.cluster_services import missing
from tests.real.faults import private_libvirtd, rows
from tests.real.faults.bed import started
from tests.real.faults.guest_bed import GuestBed
from tests.real.faults.guest_table import GATE, WAYS
from tests.real.faults.ways import Way
from tests.real.guest_file import guest_file

_LACKS = [*missing(), *filter(None, [private_libvirtd.missing()])]
pytestmark = [pytest.mark.skipif(bool(_LACKS), reason=f'not here: {", ".join(_LACKS)}'), pytest.mark.timeout(1800)]
BOOT = 300


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestBed]:
    image = guest_file(tmp_path_factory.mktemp('g'))
    with started(GuestBed(tmp_path_factory.mktemp('m'), threads.GREEN)) as it:
        it.boot_speaker(image.read_bytes())
        yield it


@pytest.fixture(scope='module')
def done(request: pytest.FixtureRequest) -> Iterator[list[rows.Row]]:
    yield from rows.collected(request, WAYS)


@pytest.mark.parametrize(('fault', 'ways'), GATE, ids=[fault.name.replace(' ', '_') for fault, _ in GATE])
def test_fault_on_a_host_with_real_guests(cluster: GuestBed, done: list[rows.Row], fault: rows.Fault,
                                          ways: tuple[Way, ...]) -> None:
    row = rows.run(cluster, fault, ways)
    done.append(row)
    assert not row.wrong, '\n'.join(row.wrong)


def test_a_guest_outlives_all_that_and_comes_back_when_it_is_killed_itself(cluster: GuestBed) -> None:
    uuid = cluster.speaker
    before = cluster.speaker_process
    assert cluster.libvirtd.processes()[uuid] == before, 'the guest is not the one that was there before the faults'
    os.kill(before, signal.SIGKILL)
    cluster.client.wait(uuid, 'SHUTOFF', BOOT)
    assert cluster.client.act(uuid, 'os-start').status_code == 202
    cluster.client.wait(uuid, 'ACTIVE', BOOT)
    assert cluster.libvirtd.converse(uuid, b'debian\r', b'Password:', BOOT)
    cluster.settled()
