"""All faults on a host with real guests: of its worker, of libvirt, of QEMU, of its disk and of the image service.

The rows are ``guest_table.ROWS``; the gate tries ``GATE`` of them. Everything runs on green threads, unless others are
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import threads
from tests.endurance.conftest import Figures
from tests.real.cluster_services import missing
from tests.real.faults import private_libvirtd, rows
from tests.real.faults.bed import started
from tests.real.faults.guest_bed import GuestBed
from tests.real.faults.guest_table import ROWS, WAYS
from tests.real.faults.ways import Way
from tests.real.guest_file import guest_file

_LACKS = [*missing(), *filter(None, [private_libvirtd.missing()])]
pytestmark = [pytest.mark.skipif(bool(_LACKS), reason=f'not here: {", ".join(_LACKS)}'), pytest.mark.timeout(1800)]


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestBed]:
    image = guest_file(tmp_path_factory.mktemp('g'))
    with started(GuestBed(tmp_path_factory.mktemp('m'), threads.GREEN)) as it:
        it.boot_speaker(image.read_bytes())
        yield it


@pytest.fixture(scope='module')
def done(request: pytest.FixtureRequest) -> Iterator[list[rows.Row]]:
    yield from rows.collected(request, WAYS)


@pytest.mark.parametrize(('fault', 'ways'), ROWS, ids=[fault.name.replace(' ', '_') for fault, _ in ROWS])
def test_fault_on_a_host_with_real_guests(cluster: GuestBed, done: list[rows.Row], fault: rows.Fault,
                                          ways: tuple[Way, ...], figures: Figures) -> None:
    row = rows.run(cluster, fault, ways)
    done.append(row)
    figures.note('seconds until', row.seconds)
    assert not row.wrong, '\n'.join(row.wrong)
