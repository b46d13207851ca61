"""Who asks for metadata, and what of a guest's request goes on."""

from __future__ import annotations

import pytest

from compute.builtin.network.agent.metadata.proxy import Asker, Upstream, passed_on
from compute.builtin.network.agent.metadata.service import askers
from compute.http.head import parse
from compute.objects.nic import FixedIp
from tests.contract.network_agent.making import make_network, make_port


def test_each_address_of_a_port_is_its_server() -> None:
    fixed = (FixedIp(address='10.1.0.5', subnet_id='four'), FixedIp(address='FD00:0::5', subnet_id='six', version=6))
    network = make_network(make_port(1, fixed_ips=fixed), make_port(2, device_id=''))
    assert askers(network) == {address: Asker('server-1', 'project') for address in ('10.1.0.5', 'fd00::5')}


def test_headers_about_identity_and_connection_stay_behind() -> None:
    forged = ('X-Instance-ID', 'x-instance-id-signature', 'X_Tenant_ID', 'X-Forwarded-For', 'Connection', 'Expect',
              'X-Metadata-Provider', 'Proxy-Authorization')
    lines = ['PUT / HTTP/1.1', 'Host: forged', 'Content-Length: 7', 'Content-Type: text/plain',
             *(f'{name}: forged' for name in forged), 'X-aws-ec2-metadata-token: kept', 'Accept: one', 'Accept: two']
    assert passed_on(parse('\r\n'.join(lines).encode(), {}).environ) == {
        'X-Aws-Ec2-Metadata-Token': 'kept', 'Accept': 'one, two', 'Content-Type': 'text/plain'}


@pytest.mark.parametrize(('asked', 'path'), [
    ('/latest/meta-data/', '/base/latest/meta-data/'), ('http://evil/openstack?x=1', '/base/openstack?x=1')])
def test_path_stays_below_the_upstream(asked: str, path: str) -> None:
    head = parse(f'GET {asked} HTTP/1.1\r\nHost: h'.encode(), {})
    assert Upstream('http://127.0.0.1:8775/base/', 'secret', 1).path(head.environ['REQUEST_URI']) == path
