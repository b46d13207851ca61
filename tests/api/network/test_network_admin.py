"""Quotas, agents, automatic networks, use of addresses: over HTTP."""

from __future__ import annotations

from tests.api.network.serving import PROJECTS, Site

DEMO = PROJECTS['demo']


def test_quotas(site: Site) -> None:
    path = f'/quotas/{DEMO}'
    assert site.get(path)['quota'] == {'network': 100, 'subnet': 100, 'port': 500, 'security_group': 10,
                                       'security_group_rule': 100}
    site.put(path, {'quota': {'network': 1}}, status=403)
    assert site.put(path, {'quota': {'network': 1, 'port': '0'}}, 'admin')['quota']['port'] == 0
    assert site.get('/quotas', 'admin')['quotas'][0]['project_id'] == DEMO
    network = site.network()
    refused = site.post('/networks', {'network': {}}, status=409)
    assert refused['NeutronError']['type'] == 'OverQuota'
    message = refused['NeutronError']['message']
    assert "Quota exceeded for resources: ['network']. The limit is 1, 1 are in use" in message
    assert site.port(network, status=409)['NeutronError']['type'] == 'OverQuota'
    assert site.get(f'{path}/details')['quota']['network'] == {'limit': 1, 'used': 1, 'reserved': 0}
    assert site.get(f'{path}/default')['quota']['network'] == 100
    site.put(path, {'quota': {'network': 0, 'check_limit': True}}, 'admin', status=400)
    site.put(path, {'quota': {'colours': 0}}, 'admin', status=400)
    site.get(path, 'other', status=403)
    site.delete(path, 'admin')
    site.port(network)


def test_unlimited(site: Site) -> None:
    site.put(f'/quotas/{DEMO}', {'quota': {'network': -1}}, 'admin')
    site.conf.set_override('quota_network', 0, group='network')
    site.network()


def test_agents(site: Site) -> None:
    site.agent('host1', networks=2, ports=3, problems=('no dnsmasq',))
    site.agent('host2')
    site.agent('host1', ports=4)
    agents = site.get('/agents', 'admin')['agents']
    assert [(agent['host'], agent['alive'], agent['admin_state_up']) for agent in agents] == [
        ('host1', True, True), ('host2', True, True)]
    assert agents[0]['configurations']['ports'] == 4 and agents[0]['binary'] == 'compute-network-agent'
    path = f'/agents/{agents[0]["id"]}'
    changed = site.put(path, {'agent': {'admin_state_up': False, 'description': 'x'}}, 'admin')['agent']
    assert (changed['admin_state_up'], changed['description']) == (False, 'x')
    assert site.get('/agents?host=host1&fields=admin_state_up', 'admin')['agents'] == [{'admin_state_up': False}]
    assert site.delete(path, 'admin', status=409)['NeutronError']['type'] == 'AgentInUse'
    site.conf.set_override('agent_down_time', 0.5, group='network')
    site.get('/agents/nothing', 'admin', status=404)


def test_automatic_network_is_made_once(site: Site) -> None:
    path = f'/auto-allocated-topology/{DEMO}'
    assert site.get(f'{path}?fields=dry-run')['auto_allocated_topology']['id'] == 'dry-run=pass'
    assert site.get('/networks')['networks'] == []
    made = site.get(path)['auto_allocated_topology']['id']
    assert site.get(path)['auto_allocated_topology']['id'] == made
    assert site.get('/subnets')['subnets'][0]['cidr'] == '10.254.0.0/24'
    site.get(path, 'other', status=403)
    assert site.get('/auto-allocated-topology/None')['auto_allocated_topology']['id'] == made
    site.delete(path)
    assert site.get('/networks')['networks'] == []
    site.delete(path, status=404)


def test_automatic_network_is_what_the_project_has(site: Site) -> None:
    def automatic(status: int = 200) -> str:
        answer = site.get(f'/auto-allocated-topology/{DEMO}', status=status)
        return str(answer.get('auto_allocated_topology', answer.get('NeutronError'))['id' if status == 200 else 'type'])
    shared = site.network('shared', 'admin', shared=True)
    site.subnet(shared, user='admin')
    assert automatic() == shared['id']
    site.network('without subnets')
    assert automatic() == shared['id']
    own = site.network('own')
    site.subnet(own)
    assert automatic() == own['id']
    second = site.network('second')
    site.subnet(second)
    assert automatic(409) == 'AutoAllocationFailure'
    site.put(f'/networks/{shared["id"]}', {'network': {'is_default': True}}, 'admin')
    assert automatic() == shared['id']
    site.post('/networks', {'network': {'is_default': True}}, 'admin', status=409)


def test_automatic_networks_can_be_switched_off(site: Site) -> None:
    site.conf.set_override('auto_allocate', False, group='network')
    refused = site.get(f'/auto-allocated-topology/{DEMO}?fields=dry-run', status=409)
    assert refused['NeutronError']['type'] == 'AutoAllocationFailure'


def test_use_of_addresses(site: Site) -> None:
    network = site.network()
    site.subnet(network)
    site.subnet(network, 'fd00::/64')
    site.port(network)
    found = site.get(f'/network-ip-availabilities/{network["id"]}', 'admin')['network_ip_availability']
    assert (found['used_ips'], found['subnet_ip_availability'][0]['used_ips']) == (2, 1)
    listed = site.get('/network-ip-availabilities?ip_version=4', 'admin')['network_ip_availabilities'][0]
    assert (listed['used_ips'], listed['total_ips']) == (1, 253)


def test_a_deleted_default_group_comes_back(site: Site) -> None:
    first = site.get('/security-groups')['security_groups'][0]['id']
    site.delete(f'/security-groups/{first}', 'admin')
    second = site.get('/security-groups')['security_groups'][0]['id']
    assert second != first
