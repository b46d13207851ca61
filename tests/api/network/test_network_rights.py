"""Who may do what: attributes of ports by whose network they are on, deletes, and lists of what is not to be seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network.serving import PROJECTS, Site

DEMO, OTHER = PROJECTS['demo'], PROJECTS['other']
MAC = 'fa:16:3e:00:00:42'
PAIRS = [{'ip_address': '10.0.0.200'}]
OWNERS = ('other', 'admin', 'service')
ANYBODY = ('demo', *OWNERS)
# attribute: its value, and who sets it on a port of a shared network of the project "other". "demo" is a stranger.
CREATE: dict[str, tuple[Any, tuple[str, ...]]] = {
    'name': ('x', ANYBODY), 'description': ('x', ANYBODY), 'admin_state_up': (False, ANYBODY),
    'device_id': ('x', ANYBODY), 'binding:vnic_type': ('direct', ANYBODY), 'tags': (['a'], ANYBODY),
    'dns_name': ('x', ANYBODY), 'device_owner': ('compute:nova', ANYBODY), 'fixed_ips': ([], ANYBODY),
    'mac_address': (MAC, OWNERS), 'port_security_enabled': (False, OWNERS), 'allowed_address_pairs': (PAIRS, OWNERS),
    'binding:host_id': ('h', ('admin', 'service')), 'binding:profile': ({'a': 1}, ('service',))}
UPDATE = {name: row for name, row in CREATE.items() if name not in ('tags', 'mac_address')}
UPDATE['mac_address'] = (MAC, ('admin', 'service'))
HARMLESS: dict[str, Any] = {
    'mac_address': None, 'device_owner': '', 'port_security_enabled': True, 'allowed_address_pairs': [],
    'binding:host_id': None, 'binding:profile': {}}


@pytest.fixture
def shared(site: Site) -> dict[str, Any]:
    """A network of "other" that is shared with all, with a subnet."""
    made = site.network('shared', 'admin', project_id=OTHER, shared=True)
    site.subnet(made, user='other')
    return made


def kind(answer: dict[str, Any]) -> str:
    """Return the type of a refusal."""
    return str(answer['NeutronError']['type'])


@pytest.mark.parametrize('user', ANYBODY)
@pytest.mark.parametrize('name', CREATE)
def test_attributes_of_a_new_port(site: Site, shared: dict[str, Any], name: str, user: str) -> None:
    value, allowed = CREATE[name]
    more = {'security_groups': []} if name == 'port_security_enabled' else {}
    answer = site.port(shared, user, 201 if user in allowed else 403, **{name: value, **more})
    if user not in allowed:
        assert kind(answer) == 'PolicyNotAuthorized' and f'create_port:{name}' in answer['NeutronError']['message']


@pytest.mark.parametrize('user', ANYBODY)
@pytest.mark.parametrize('name', UPDATE)
def test_attributes_of_a_port_that_is_there(site: Site, shared: dict[str, Any], name: str, user: str) -> None:
    value, allowed = UPDATE[name]
    port = site.port(shared, 'admin', project_id=PROJECTS.get(user, DEMO), security_groups=[])
    status = 200 if user in allowed else 403
    answer = site.put(f'/ports/{port["id"]}', {'port': {name: value}}, user, status)
    if status == 403:
        assert f'update_port:{name}' in answer['NeutronError']['message']


@pytest.mark.parametrize('owner', ['network:dhcp', 'network:router_interface', 'network:floatingip', 'network:'])
def test_a_port_of_the_network_itself_is_made_by_its_owner(site: Site, shared: dict[str, Any], owner: str) -> None:
    values = {'device_owner': owner}
    assert 'device_owner' in site.port(shared, 'demo', 403, **values)['NeutronError']['message']
    for user in OWNERS:
        site.port(shared, user, **values)
    mine = site.port(shared)
    site.put(f'/ports/{mine["id"]}', {'port': values}, status=403)
    site.put(f'/ports/{mine["id"]}', {'port': values}, 'admin')
    site.put(f'/ports/{mine["id"]}', {'port': {**values, 'name': 'x'}})
    site.port(site.network(), **values)


@pytest.mark.parametrize('name', HARMLESS)
def test_a_value_that_changes_nothing_needs_no_permission(site: Site, shared: dict[str, Any], name: str) -> None:
    port = site.port(shared, **{name: HARMLESS[name]})
    value = port['mac_address'].upper() if name == 'mac_address' else HARMLESS[name]
    site.put(f'/ports/{port["id"]}', {'port': {name: value}})


def test_address_pairs_as_shown_change_nothing(site: Site, shared: dict[str, Any]) -> None:
    port = site.port(shared, 'admin', project_id=DEMO, allowed_address_pairs=[*PAIRS, {'ip_address': '10.0.0.201'}])
    shown = port['allowed_address_pairs']
    for same in (shown, shown[::-1]):
        site.put(f'/ports/{port["id"]}', {'port': {'allowed_address_pairs': same}})
    site.put(f'/ports/{port["id"]}', {'port': {'allowed_address_pairs': shown[:1]}}, status=403)
    site.put(f'/ports/{port["id"]}', {'port': {'allowed_address_pairs': None}}, status=403)


def test_only_managers_of_the_network_change_macs(site: Site) -> None:
    port = site.port(site.network())
    path = f'/ports/{port["id"]}'
    for value in (MAC, None):
        assert 'update_port:mac_address' in site.put(path, {'port': {'mac_address': value}}, status=403)[
            'NeutronError']['message']
    assert site.put(path, {'port': {'mac_address': MAC}}, 'manager')['port']['mac_address'] == MAC


def test_addresses_on_a_shared_network(site: Site, shared: dict[str, Any]) -> None:
    subnet = site.get('/subnets')['subnets'][0]['id']
    asked = [{'ip_address': '10.0.0.99'}]
    assert 'fixed_ips:ip_address' in site.port(shared, 'demo', 403, fixed_ips=asked)['NeutronError']['message']
    site.port(shared, 'demo', 403, fixed_ips=[{'subnet_id': subnet, **asked[0]}])
    port = site.port(shared, fixed_ips=[{'subnet_id': subnet}])
    path, held = f'/ports/{port["id"]}', port['fixed_ips']
    site.put(path, {'port': {'fixed_ips': held}})
    assert len(site.put(path, {'port': {'fixed_ips': [*held, {'subnet_id': subnet}]}})['port']['fixed_ips']) == 2
    site.put(path, {'port': {'fixed_ips': [*held, *asked]}}, status=403)
    for user in OWNERS:
        made = site.port(shared, user, fixed_ips=asked)
        site.delete(f'/ports/{made["id"]}', user)
    assert site.put(path, {'port': {'fixed_ips': asked}}, 'admin')['port']['fixed_ips'][0]['ip_address'] == '10.0.0.99'


def test_ports_on_a_network_that_is_external_only(site: Site) -> None:
    external = site.network('public', 'admin', project_id=OTHER, **{'router:external': True})
    subnet = site.subnet(external, user='other')
    assert 'network_id' in site.port(external, 'demo', 403)['NeutronError']['message']
    for user in OWNERS:
        site.port(external, user)
    mine = site.port(external, 'admin', project_id=DEMO)
    site.put(f'/ports/{mine["id"]}', {'port': {'fixed_ips': [{'subnet_id': subnet['id']}]}}, status=403)
    site.put(f'/ports/{mine["id"]}', {'port': {'name': 'x'}})


@pytest.mark.parametrize('owner', ['compute:nova', 'compute:', 'baremetal:none', 'manila:share'])
def test_a_port_in_use_is_deleted_by_services(site: Site, owner: str) -> None:
    network = site.network()
    port = site.port(network, device_owner=owner, device_id='x')
    for user in ('demo', 'manager'):
        refused = site.delete(f'/ports/{port["id"]}', user, status=403)
        assert 'delete_port:device_owner' in refused['NeutronError']['message']
    site.delete(f'/ports/{port["id"]}', 'other', status=404)
    site.delete(f'/ports/{port["id"]}', 'service')
    second = site.port(network, device_owner=owner)
    site.delete(f'/ports/{second["id"]}', 'admin')
    freed = site.port(network, device_owner=owner)
    site.put(f'/ports/{freed["id"]}', {'port': {'device_owner': '', 'device_id': ''}})
    site.delete(f'/ports/{freed["id"]}')


def test_the_owner_of_a_network_deletes_ports_on_it(site: Site, shared: dict[str, Any]) -> None:
    port = site.port(shared)
    site.put(f'/ports/{port["id"]}', {'port': {'name': 'x'}}, 'other', status=403)
    site.delete(f'/ports/{port["id"]}', 'other')
    in_use = site.port(shared, device_owner='compute:nova')
    site.delete(f'/ports/{in_use["id"]}', 'other', status=403)


@pytest.mark.parametrize(('path', 'singular', 'values'), [
    ('/networks', 'network', {'shared': True}), ('/networks', 'network', {'router:external': True}),
    ('/networks', 'network', {'is_default': True}), ('/networks', 'network', {'provider:network_type': 'local'}),
    ('/networks', 'network', {'provider:physical_network': 'p'}),
    ('/networks', 'network', {'provider:segmentation_id': 7})])
def test_attributes_of_networks_for_administrators(site: Site, path: str, singular: str,
                                                  values: dict[str, Any]) -> None:
    site.post(path, {singular: values}, status=403)
    site.post(path, {singular: values}, 'manager', status=403)
    mine = site.network()
    site.put(f'{path}/{mine["id"]}', {singular: values}, status=403)


def test_subnets_by_who_owns_the_network(site: Site, shared: dict[str, Any]) -> None:
    body = {'subnet': {'network_id': shared['id'], 'cidr': '10.7.0.0/24', 'ip_version': 4}}
    assert 'create_subnet:network_id' in site.post('/subnets', body, status=403)['NeutronError']['message']
    of_admin = site.post('/subnets', body, 'admin')['subnet']
    site.put(f'/subnets/{of_admin["id"]}', {'subnet': {'name': 'x'}}, status=403)
    site.put(f'/subnets/{of_admin["id"]}', {'subnet': {'name': 'x'}}, 'other')
    site.delete(f'/subnets/{of_admin["id"]}', status=403)
    site.delete(f'/subnets/{of_admin["id"]}', 'other')


def test_agents_do_not_exist_for_members(site: Site) -> None:
    site.agent('host1')
    agent = site.get('/agents', 'admin')['agents'][0]
    for user in ('demo', 'reader', 'manager'):
        assert site.get('/agents', user) == site.get('/agents?host=host1', user) == {'agents': []}
        assert kind(site.get(f'/agents/{agent["id"]}', user, status=404)) == 'AgentNotFound'
        site.put(f'/agents/{agent["id"]}', {'agent': {'admin_state_up': False}}, user, status=404)
        site.delete(f'/agents/{agent["id"]}', user, status=404)
    assert len(site.get('/agents', 'service')['agents']) == 1
    site.put(f'/agents/{agent["id"]}', {'agent': {'admin_state_up': False}}, 'service', status=403)


def test_the_use_of_addresses_does_not_exist_for_members(site: Site) -> None:
    network = site.network()
    for user in ('demo', 'reader', 'manager'):
        assert site.get('/network-ip-availabilities', user) == {'network_ip_availabilities': []}
        assert kind(site.get(f'/network-ip-availabilities/{network["id"]}', user, status=404)) == 'NetworkNotFound'
    assert site.get(f'/network-ip-availabilities/{network["id"]}', 'service')
