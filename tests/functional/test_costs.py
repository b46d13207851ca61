"""What a server with one port costs between the daemons: requests to neighbours, and messages.

Each is a millisecond or two at both of its ends, so one more is seen here before it is felt. What happens now and then
without any server (heartbeats, pings, fetched states) is not counted.
"""

from __future__ import annotations

import re
from collections import Counter

import requests

from tests.functional.standalone import Client, Cloud, Standalone

# Not the names of groups, which are asked for to show a server, nor the whole list of ports, which the auditor reads.
_REQUEST = re.compile(r'"(\w+) (/v2\.0/(?:ports|networks|subnets|extensions)|/v2\.1/os-server-external-events)'
                      r'(?!\?sort_key)[^"]*" status: 2\d\d')
_MESSAGE = re.compile(r'^compute_rpc_client_seconds_count\{(.*)\} ([\d.]+)', re.M)
_SOMETIMES = {'heartbeat', 'ping', 'state', 'refresh', 'observed', 'inventory', 'instances', 'wires',
              'progress'}  # a stage that lasts is told while it does


class Meter:
    """Counts what the daemons asked each other since it was last looked at."""

    def __init__(self, stack: Standalone) -> None:
        self._stack = stack
        self._mark, self._sent = 0, Counter[str]()
        self.look()

    def look(self) -> tuple[Counter[str], Counter[str]]:
        """Return requests and messages since the last look, by name."""
        log = self._stack.log.read_text()
        asked = Counter(f'{method} {path.rpartition("/")[2]}' for method, path in _REQUEST.findall(log[self._mark:]))
        self._mark = len(log)
        text = requests.get(f'http://127.0.0.1:{self._stack.ports["health"]}/metrics', timeout=120).text
        now = Counter[str]()
        for labels, count in _MESSAGE.findall(text):
            method = re.findall(r'="([^"]*)"', labels)[-1]
            if method not in _SOMETIMES:
                now['.'.join(re.findall(r'="([^"]*)"', labels))] += int(float(count))
        sent, self._sent = now - self._sent, now
        return asked, sent


def test_a_boot_and_a_delete_with_one_port(stack: Standalone, client: Client, cloud: Cloud) -> None:
    """The second of two boots: one request makes its port, one tells of it, one removes it.

    How often everything else is asked depends on how long it takes; the endurance set looks at that.
    """
    def boot() -> str:
        uuid = cloud.create()
        client.wait(uuid, 'ACTIVE')
        return uuid
    first, meter = boot(), Meter(stack)
    second = boot()
    asked, sent = meter.look()
    assert asked['POST ports'] == asked['POST os-server-external-events'] == 1, asked
    client.call('DELETE', 'compute', f'/servers/{second}')
    client.gone(second)
    asked, _ = meter.look()
    assert asked['DELETE ports'] == 1 and not asked['POST ports'], asked
    client.call('DELETE', 'compute', f'/servers/{first}')
    client.gone(first)
