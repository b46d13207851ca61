"""How long boots, requests and a stop take while a collector of spans hangs. The gate sees that they end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from tests.endurance.conftest import Figures
from tests.functional.collector import Collector, boot
from tests.functional.standalone import Client, Cloud, Standalone, running, wait_for
from tests.functional.test_tracing import tracing
from tests.waiting import Timer


def held_up(stack: Standalone) -> float:
    """Return how often all threads were held up for more than ten seconds."""
    text = requests.get(f'http://127.0.0.1:{stack.ports["health"]}/metrics', timeout=20).text

    def value(name: str) -> float:
        found = re.search(rf'^{re.escape(name)} (\S+)$', text, re.MULTILINE)
        return float(found[1]) if found else 0.0
    return value('compute_hub_lag_seconds_count') - value('compute_hub_lag_seconds_bucket{le="10.0"}')


@pytest.mark.parametrize('concurrency', ['eventlet', 'threading'])
def test_a_collector_that_hangs_delays_nothing(tmp_path: Path, concurrency: str, figures: Figures) -> None:
    collector = Collector(hangs=True)
    try:
        with running(tmp_path, overrides=tracing(collector.url, timeout=30, queue_size=128),
                     concurrency=concurrency) as stack:
            client = Client(stack)
            cloud = Cloud(client)
            boots = []
            for _ in range(3):
                with Timer() as taken:
                    boot(client, cloud)
                boots.append(taken.seconds)
            figures.at_most('seconds of the fastest boot', min(boots), 10)
            wait_for(lambda: collector.asked, 10, 'spans that hang')
            before = held_up(stack)
            with Timer() as taken:
                for _ in range(150):  # more than the queue takes
                    assert client.call('GET', 'compute', '/flavors').status_code == 200
            figures.at_most('seconds of 150 requests', taken.seconds, 30)
            figures.at_most('times that all threads were held up', held_up(stack) - before, 0)
            with Timer() as taken:
                assert stack.stop() == 0
            figures.at_most('seconds of the stop', taken.seconds, 15)
    finally:
        collector.close()
