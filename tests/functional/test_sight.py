"""What an operator sees of a running product: its health and its metrics, at the listener and in the API."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from compute import metrics
from tests.functional.standalone import Client, Cloud, Standalone, wait_for


def scrape(stack: Standalone) -> dict[str, list[Any]]:
    answer = requests.get(f'http://127.0.0.1:{stack.ports["health"]}/metrics', timeout=120)
    assert answer.status_code == 200 and answer.headers['Content-Type'].startswith('text/plain; version=0.0.4')
    return {family.name: family.samples for family in text_string_to_metric_families(answer.text)}


def test_every_probe_is_up(stack: Standalone, client: Client) -> None:
    url = f'http://127.0.0.1:{stack.ports["health"]}/healthcheck'

    def shown() -> dict[str, Any]:
        return requests.get(url, headers={'Accept': 'application/json'}, timeout=120).json()
    expected = {'threads', 'pools', 'database', 'broker', 'conductor', 'hypervisor', 'predecessor', 'disk',
                'operations', 'identity', 'image', 'network', 'keys', 'store', 'events', 'wiring', 'secret'}
    body = wait_for(lambda: (found := shown()) and {each['probe'] for each in found['probes']} == expected and found,
                    20, 'the first look of every probe')
    assert body['detailed'] is True
    slow = [each for each in body['probes'] if each['state'] != 'up']
    assert not [each for each in slow if each['value'] is None], 'on a busy machine one may be slow, none may fail'
    assert requests.get(f'{url}/ready', timeout=120).text == 'READY'
    assert requests.head(url, timeout=120).status_code == 204


def test_metrics_of_a_boot(stack: Standalone, client: Client, cloud: Cloud) -> None:
    uuid = cloud.create()
    client.wait(uuid, 'ACTIVE')
    found = scrape(stack)
    routes = {(sample.labels['api'], sample.labels['route']) for sample in found['compute_http_request_seconds']}
    assert {('compute', '/v2.1/servers/{id}'), ('compute', '/v2.1/servers'), ('network', '/v2.0/ports')} <= routes
    assert not [route for _, route in routes if uuid in route], 'by template, not by path'
    calls = {(sample.labels['interface'], sample.labels['method']) for sample in found['compute_rpc_server_seconds']}
    assert {('conductor.operations', 'begin'), ('scheduler.select', 'select'), ('worker.operations', 'begin'),
            ('conductor.reports', 'begin')} <= calls
    stages = {sample.labels['stage'] for sample in found['compute_operation_stage_seconds']
              if sample.labels['kind'] == 'create'}
    assert 'spawning' in stages
    for name in ('compute_database_seconds', 'compute_hub_lag_seconds', 'compute_scheduler_decision_seconds',
                 'compute_operations_ended', 'compute_pool_limit', 'compute_broker_queue_messages',
                 'compute_database_connections', 'compute_probe', 'compute_build_info', 'process_open_fds'):
        assert found[name], name
    assert found['compute_health'][0].value <= 1
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)


def test_the_names_of_the_exporter(stack: Standalone, client: Client, cloud: Cloud) -> None:
    uuid = cloud.create()
    client.wait(uuid, 'ACTIVE')

    def server() -> Any:
        found = scrape(stack)
        return found if any(sample.labels['id'] == uuid for sample in found.get('openstack_nova_server_status', ())
                            ) else None
    found = wait_for(server, 30, 'the server in the metrics')
    sample = next(each for each in found['openstack_nova_server_status'] if each.labels['id'] == uuid)
    assert (sample.labels['status'], sample.value) == ('ACTIVE', 0)
    for service in ('nova', 'placement', 'neutron', 'glance', 'identity'):
        assert found[f'openstack_{service}_up'][0].value == 1, service
    missing = [name for name in metrics.BY_NAME if name.startswith('openstack_') and name not in found]
    assert missing == []
    assert found['openstack_nova_running_vms'][0].labels['hostname'] == 'node1'
    assert {each.labels['resourcetype'] for each in found['openstack_placement_resource_total']} == {
        'VCPU', 'MEMORY_MB', 'DISK_GB'}
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)


@pytest.mark.parametrize('binary', ['nova-compute', 'nova-conductor', 'nova-scheduler'])
def test_services_tell_their_health(client: Client, binary: str) -> None:
    def told() -> Any:
        row, = client.ok('GET', 'compute', f'/service-health?binary={binary}')['service_health']
        return row if row['release'] else None
    row = wait_for(told, 20, 'a heartbeat with a health')
    assert row['state'] in ('up', 'degraded') and row['incarnation']
    assert all(set(reason) == {'probe', 'state', 'reason', 'value', 'unit'} for reason in row['reasons'])
