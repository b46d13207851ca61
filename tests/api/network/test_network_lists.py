"""Lists over HTTP: filters, fields, order, pages, and who sees what."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.api.network.serving import PROJECTS, Site


def names(answer: dict[str, Any], collection: str = 'networks') -> list[str]:
    """Return the names of a list."""
    return [item['name'] for item in answer[collection]]


@pytest.fixture
def five(site: Site) -> Site:
    """A daemon with five networks of demo."""
    for number in range(5):
        site.network(f'n{number}', mtu=1500 - number % 2)
    return site


@pytest.mark.parametrize(('query', 'expected'), [
    ('sort_key=name', ['n0', 'n1', 'n2', 'n3', 'n4']),
    ('sort_key=name&sort_dir=desc', ['n4', 'n3', 'n2', 'n1', 'n0']),
    ('sort_key=mtu&sort_dir=asc&sort_key=name&sort_dir=desc', ['n3', 'n1', 'n4', 'n2', 'n0']),
    ('sort_key=name&sort_dir=desc&sort_key=name&sort_dir=asc', ['n4', 'n3', 'n2', 'n1', 'n0']),
    ('name=n1&name=n3&sort_key=name', ['n1', 'n3']),
    ('mtu=1499&sort_key=name', ['n1', 'n3']),
    ('shared=True', []),
    ('shared=false&name=n0', ['n0']),
    ('router:external=True', []),
    (f'project_id={PROJECTS["other"]}', []),
    (f'tenant_id={PROJECTS["demo"]}&name=n0', ['n0']),
    ('name=N1', []),
    ('not-tags=&name=n0', ['n0']),
    ('tags-any=&not-tags-any=&name=n0', ['n0']),
    ('changed_since=2099-01-01T00:00:00Z', []),
    ('limit=2&sort_key=name', ['n0', 'n1']),
])
def test_filters_and_order(five: Site, query: str, expected: list[str]) -> None:
    assert names(five.get(f'/networks?{query}')) == expected


@pytest.mark.parametrize('query', ['colour=red', 'sort_key=colour', 'limit=-1', 'limit=x', 'mtu=wide', 'shared=maybe',
                                   'sort_key=name&sort_dir=up', 'changed_since=yesterday',
                                   'limit=%C2%B2', 'mtu=%C2%B2', 'mtu=99999999999999999999', 'limit=' + '9' * 5000,
                                   'changed_since=0001-01-01T00:00:00%2B23:00'])
def test_what_cannot_be_listed(five: Site, query: str) -> None:
    five.get(f'/networks?{query}', status=400)


def test_an_order_has_a_bounded_number_of_keys(five: Site) -> None:
    marker = five.get('/networks?name=n3')['networks'][0]['id']
    repeated = '&'.join(['sort_key=name'] * 800)
    assert names(five.get(f'/networks?{repeated}&marker={marker}')) == ['n4']
    different = '&'.join(f'sort_key=key{number}' for number in range(11))
    assert '11 sort keys' in five.get(f'/networks?{different}', status=400)['NeutronError']['message']


def test_pages_forth_and_back(five: Site) -> None:
    url, seen, last = '/networks?limit=2&sort_key=name', [], ''
    while url:
        answer = five.get(url)
        seen.append(names(answer))
        links = {link['rel']: link['href'] for link in answer.get('networks_links', [])}
        last, url = url, links.get('next', '').partition('/v2.0')[2]
    assert seen == [['n0', 'n1'], ['n2', 'n3'], ['n4']]
    back = links['previous'].partition('/v2.0')[2]
    answer = five.get(back)
    assert names(answer) == ['n2', 'n3']
    assert {link['rel'] for link in answer['networks_links']} == {'next', 'previous'}
    assert urlsplit(links['previous']).query.endswith('page_reverse=True') and last


def test_a_marker_that_does_not_exist(five: Site) -> None:
    five.get('/networks?limit=1&marker=nothing', status=404)


def test_the_daemon_limits_a_page(five: Site) -> None:
    five.conf.set_override('max_limit', 3, group='network')
    answer = five.get('/networks')
    assert len(answer['networks']) == 3 and answer['networks_links'][0]['rel'] == 'next'


def test_fields(five: Site) -> None:
    assert five.get('/networks?name=n0&fields=name&fields=tenant_id')['networks'] == [
        {'name': 'n0', 'tenant_id': PROJECTS['demo']}]
    network = five.get('/networks?name=n0')['networks'][0]
    assert five.get(f'/networks/{network["id"]}?fields=mtu') == {'network': {'mtu': 1500}}


def test_projects_see_their_own_and_what_is_shared(site: Site) -> None:
    mine, foreign = site.network('mine'), site.network('foreign', 'other')
    shared = site.network('shared', 'admin', shared=True)
    external = site.network('public', 'admin', **{'router:external': True})
    subnet = site.subnet(shared, user='admin')
    assert sorted(names(site.get('/networks'))) == ['mine', 'public', 'shared']
    assert sorted(names(site.get('/networks', 'admin'))) == ['foreign', 'mine', 'public', 'shared']
    assert sorted(names(site.get('/networks', 'service'))) == ['foreign', 'mine', 'public', 'shared']
    site.get(f'/networks/{foreign["id"]}', status=404)
    site.put(f'/networks/{foreign["id"]}', {'network': {'name': 'x'}}, status=404)
    site.delete(f'/networks/{foreign["id"]}', status=404)
    site.put(f'/networks/{shared["id"]}', {'network': {'name': 'x'}}, status=403)
    site.delete(f'/subnets/{subnet["id"]}', status=403)
    assert site.get('/networks?router:external=True')['networks'][0]['id'] == external['id']
    site.delete(f'/networks/{mine["id"]}', 'reader', status=403)
    assert names(site.get('/networks?name=mine', 'reader')) == ['mine']


def test_ports_on_a_shared_network(site: Site) -> None:
    shared = site.network('shared', 'admin', shared=True)
    site.subnet(shared, user='admin')
    port = site.port(shared)
    site.get(f'/ports/{port["id"]}', 'other', status=404)
    site.port(shared, mac_address='fa:16:3e:00:00:01', status=403)
    site.port(shared, port_security_enabled=False, status=403)
    site.put(f'/networks/{shared["id"]}', {'network': {'shared': False}}, 'admin', status=409)
    site.port(site.network('foreign', 'other'), status=404)


def test_only_some_make_things_for_others(site: Site) -> None:
    body = {'network': {'name': 'n', 'tenant_id': PROJECTS['other']}}
    site.post('/networks', body, status=400)
    assert site.post('/networks', body, 'admin')['network']['project_id'] == PROJECTS['other']
    network = site.get('/networks', 'other')['networks'][0]
    port = site.port(network, 'service', project_id=PROJECTS['other'])
    assert port['project_id'] == PROJECTS['other']
    assert port['security_groups'] == [site.get('/security-groups', 'other')['security_groups'][0]['id']]


def test_ports_by_address_group_and_device(site: Site) -> None:
    network = site.network()
    subnet = site.subnet(network)
    first, second = site.port(network, device_id='a'), site.port(network, device_id='b')

    def found(query: str) -> list[str]:
        return sorted(port['id'] for port in site.get(f'/ports?{query}')['ports'])
    both = sorted([first['id'], second['id']])
    assert found('device_id=a&device_id=b') == both
    assert found('device_id=a') == [first['id']]
    assert found('fixed_ips=ip_address=10.0.0.3') == [second['id']]
    assert found(f'fixed_ips=subnet_id={subnet["id"]}') == both
    assert found(f'fixed_ips=subnet_id={subnet["id"]}&fixed_ips=ip_address=10.0.0.2') == [first['id']]
    assert found('fixed_ips=ip_address_substr=0.0.3') == [second['id']]
    assert found(f'security_groups={first["security_groups"][0]}') == both
    assert found(f'network_id={network["id"]}&mac_address={first["mac_address"]}') == [first['id']]
    assert found('device_owner=compute:nova') == []


def test_tags(site: Site) -> None:
    network, other = site.network('n'), site.network('o')
    path = f'/networks/{network["id"]}/tags'
    assert site.put(path, {'tags': ['red', 'blue']}) == {'tags': ['blue', 'red']}
    site.put(f'{path}/green', None, status=201)
    site.put(f'/networks/{other["id"]}/tags/red', None, status=201)
    assert site.get(path) == {'tags': ['blue', 'green', 'red']}
    site.get(f'{path}/green', status=204)
    site.get(f'{path}/grey', status=404)
    site.delete(f'{path}/blue')
    site.delete(f'{path}/blue', status=404)
    assert site.get(f'/networks/{network["id"]}')['network']['tags'] == ['green', 'red']
    assert names(site.get('/networks?tags=red,green')) == ['n']
    assert sorted(names(site.get('/networks?tags-any=red,green'))) == ['n', 'o']
    assert names(site.get('/networks?not-tags=red,green')) == ['o']
    assert names(site.get('/networks?not-tags-any=red')) == []
    site.delete(path)
    assert site.get(path) == {'tags': []}
    site.put(path, {'tags': ['x']}, 'other', status=404)


@pytest.mark.parametrize(('path', 'singular'), [('/networks', 'network'), ('/security-groups', 'security_group')])
def test_a_tag_is_any_text(site: Site, path: str, singular: str) -> None:
    tags = f'{path}/{site.post(path, {singular: {"name": "n"}})[singular]["id"]}/tags'
    filtered = f'{path}?name=n&'
    for tag in ('kubernetes.io/cluster/x', 'a,b', '/', '%2F', 'a b', '\u00fc', '100%', 'Red'):
        one = f'{tags}/{quote(tag, safe="")}'
        site.get(one, status=404)
        site.put(one, None, status=201)
        assert site.get(tags) == {'tags': [tag]}
        site.get(one, status=204)
        for name, found in (('tags', 1), ('tags-any', 1), ('not-tags', 0), ('not-tags-any', 0)):
            assert len(next(iter(site.get(f'{filtered}{name}={quote(tag)}').values()))) == found, (name, tag)
        site.delete(one)
    assert site.put(tags, {'tags': ['b/c', 'a,b']}) == {'tags': ['a,b', 'b/c']}
    site.put(f'{tags}/{"x" * 256}', None, status=400)


def test_a_comma_in_a_filter_lists_tags_and_is_part_of_one(site: Site) -> None:
    for name, tags in (('whole', ['a,b']), ('both', ['a', 'b']), ('one', ['a']), ('none', [])):
        site.put(f'/networks/{site.network(name)["id"]}/tags', {'tags': tags})
    assert sorted(names(site.get('/networks?tags=a,b'))) == ['both', 'whole']
    assert sorted(names(site.get('/networks?tags=a&tags=b'))) == ['both']
    assert sorted(names(site.get('/networks?tags-any=a,b'))) == ['both', 'one', 'whole']
    assert sorted(names(site.get('/networks?not-tags=a,b'))) == ['none', 'one']
    assert sorted(names(site.get('/networks?not-tags-any=a,b'))) == ['none']


def test_ports_are_made_with_tags_of_any_text(site: Site) -> None:
    tags = ['a,b', 'kubernetes.io/x']
    assert site.port(site.network(), tags=tags)['tags'] == tags
