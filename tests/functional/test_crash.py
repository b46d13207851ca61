"""SIGKILL in the middle of work: after a restart nothing is stuck, nothing is lost, nothing is left over."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.functional.standalone import Client, Cloud, running, wait_for

_DIES_WITH_THE_EFFECT = '''
import os, signal, sys
from compute.cmd.standalone import main
from compute.control import operation
operation.hint = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(main())
'''


@pytest.mark.parametrize('concurrency', ['eventlet', 'threading'])
def test_killed_while_spawning(tmp_path: Path, concurrency: str) -> None:
    with running(tmp_path, overrides={'fake': {'spawn_delay': 2}}, concurrency=concurrency) as stack:
        client = Client(stack)
        cloud = Cloud(client)
        uuid = cloud.create()
        wait_for(lambda: client.server(uuid)['OS-EXT-STS:task_state'] == 'spawning', 20, 'spawning')
        stack.kill()
        stack.start()
        client = Client(stack)
        client.wait(uuid, 'ACTIVE', timeout=120)
        assert len(Cloud.ports(cloud, uuid)) == 1
        client.call('DELETE', 'compute', f'/servers/{uuid}')
        client.gone(uuid)


def test_killed_right_after_the_answer(tmp_path: Path) -> None:
    with running(tmp_path, overrides={'fake': {'spawn_delay': 0.5}}) as stack:
        client = Client(stack)
        cloud = Cloud(client)
        uuids = [cloud.create(name=f's{number}') for number in range(5)]
        stack.kill()
        stack.start()
        client = Client(stack)
        for uuid in uuids:
            client.wait(uuid, 'ACTIVE', timeout=120)
        deleted = uuids.pop()
        client.call('DELETE', 'compute', f'/servers/{deleted}')
        stack.kill()
        stack.start()
        client = Client(stack)
        client.gone(deleted, timeout=120)
        assert len(client.ok('GET', 'compute', '/servers')['servers']) == 4
        hypervisor = client.ok('GET', 'compute', '/os-hypervisors/detail', version='2.87')['hypervisors'][0]
        assert hypervisor['memory_mb_used'] == 4 * 256 or hypervisor['running_vms'] == 4


def test_killed_between_the_effect_and_the_answer(tmp_path: Path) -> None:
    """Whoever gets no answer asks again with the same Idempotency-Key, and gets the servers that are there."""
    with running(tmp_path) as stack:
        cloud = Cloud(Client(stack))
        stack.stop()
        stack.start(_DIES_WITH_THE_EFFECT)
        headers, asked = {'Idempotency-Key': 'a-key'}, cloud.request(min_count=2)
        with pytest.raises(requests.ConnectionError):
            Client(stack).call('POST', 'compute', '/servers', asked, headers=headers)
        stack.kill()
        stack.start()
        client = Client(stack)
        answers = [client.call('POST', 'compute', '/servers', asked, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
        servers = client.ok('GET', 'compute', '/servers')['servers']
        assert len(servers) == 2 and {answer.json()['server']['id'] for answer in answers} < {
            server['id'] for server in servers}
        for server in servers:
            client.wait(server['id'], 'ACTIVE', timeout=120)
        assert client.call('POST', 'compute', '/servers', cloud.request(), headers=headers).status_code == 409
