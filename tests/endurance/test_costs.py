"""How many requests and messages a boot and a delete of a server with one port take, on a machine that is quick enough.

How the network looks is asked again after two seconds, by the API and by the host; the status of a port by a host that
waited long. So the numbers are right only for a boot that takes less.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.endurance.conftest import Figures
from tests.functional.standalone import Client, Cloud, Standalone, running
from tests.functional.test_costs import Meter


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with running(tmp_path_factory.mktemp('stack')) as stack:
        yield stack


def test_a_boot_and_a_delete_with_one_port(stack: Standalone, figures: Figures) -> None:
    client = Client(stack)
    cloud = Cloud(client)

    def boot() -> str:
        uuid = cloud.create()
        client.wait(uuid, 'ACTIVE')
        return uuid
    boot()
    meter = Meter(stack)
    second = boot()
    asked, sent = meter.look()
    figures.at_most('requests of a boot', asked.total(), 2 + 4)
    figures.at_most('messages of a boot', sent.total(), 8)
    client.call('DELETE', 'compute', f'/servers/{second}')
    client.gone(second)
    asked, sent = meter.look()
    figures.at_most('requests of a delete', asked.total(), 2)
    figures.at_most('messages of a delete', sent.total(), 5)
