"""A large image takes little memory of the image service, and does not hold up other requests."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator

from tests.endurance.conftest import Figures
from tests.functional.image.test_image_streams import MIB, Client, client, running

__all__ = ['client', 'running']
BIG = 160


def test_a_large_image_takes_little_memory_and_does_not_hold_up_others(client: Client, figures: Figures) -> None:  # noqa: F811
    image_id = client.make()
    client('GET', '/v2/images')
    before = client.running.peak_memory('image')
    times: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            assert client('GET', f'/v2/images/{image_id}')[0] == 200
            times.append(1)
    watcher = threading.Thread(target=look)
    watcher.start()

    def chunks() -> Iterator[bytes]:
        for number in range(BIG):
            yield number.to_bytes(4, 'big') * (MIB // 4)
    try:
        status, body = client('PUT', f'/v2/images/{image_id}/file', chunks(), **{
            'Content-Type': 'application/octet-stream', 'Content-Length': str(BIG * MIB)})
    finally:
        done.set()
        watcher.join(120)
    assert status == 204, body
    figures.at_least('other requests answered meanwhile', len(times), 20)
    connection = http.client.HTTPConnection('127.0.0.1', client.running.image_port, timeout=120)
    connection.request('GET', f'/v2/images/{image_id}/file', headers={'X-Auth-Token': client.token})
    answer, length = connection.getresponse(), 0
    while block := answer.read(MIB):
        length += len(block)
    connection.close()
    assert length == BIG * MIB
    grown = (client.running.peak_memory('image') - before) / MIB
    figures.at_most(f'MiB that memory grew with an image of {BIG} MiB', grown, 64)
    client('DELETE', f'/v2/images/{image_id}')
