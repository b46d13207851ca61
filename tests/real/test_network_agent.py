"""The network agent on a real kernel: guests get addresses and metadata, and cannot do what they may not."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from compute.builtin.network.agent import names
from compute.builtin.network.agent.agent import Agent
from compute.builtin.network.agent.linux import namespaces
from compute.builtin.network.agent.linux.remote import RemotePlumbing
from compute.builtin.network.agent.plumbing import Plumbing
from compute.objects.nic import FixedIp, Subnet
from compute.objects.value import encode
from compute.objects.wiring import Rule
from tests.contract.network_agent.contract import PlumbingContract
from tests.contract.network_agent.making import EGRESS, make_conf, make_network, make_port, wait_for
from tests.real import forging
from tests.real.guest_bed import SECRET, Bed, Upstream
from tests.real.guest_net import Guest, own_network, run

pytestmark = [pytest.mark.timeout(1800), pytest.mark.skipif(os.geteuid() != 0, reason='needs root')]
PING = Rule(direction='ingress', protocol='icmp', remote=('0.0.0.0/0',))
SSH = Rule(direction='ingress', protocol='tcp', port_min=22, port_max=22, remote=('0.0.0.0/0',))


@pytest.fixture(scope='module', autouse=True)
def _network() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture
def state_dir(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / 'agent')


class TestLinuxPlumbing(PlumbingContract):
    @pytest.fixture
    def plumbing(self, state_dir: str) -> Iterator[Plumbing]:
        made = RemotePlumbing(make_conf(state_dir=state_dir))
        made.start()
        yield made
        made.cleanup()
        made.stop()


@pytest.fixture
def upstream() -> Iterator[Any]:
    server = ThreadingHTTPServer(('127.0.0.1', 0), Upstream)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def bed(state_dir: str, upstream: Any) -> Iterator[Bed]:
    made = Bed(state_dir, f'http://127.0.0.1:{upstream.server_address[1]}', heal_interval=0.3, heartbeat_interval=0.3)
    made.agent.start()
    yield made
    for guest in made.guests:
        guest.stop()
    made.agent.stop()
    Agent.cleanup(made.conf)


def test_guest_gets_its_address_and_routes(bed: Bed) -> None:
    subnet = Subnet(id='four', cidr='10.1.0.0/24', gateway='10.1.0.1', routes=(('10.77.0.0/16', '10.1.0.9'),))
    network = make_network(make_port(1), subnets=(subnet,), mtu=1400)
    bed.wire(network)
    lease = bed.guest(network.ports[0]).dhcp()
    assert (lease['ip'], lease['router'], lease['dns'], lease['mtu']) == ('10.1.0.11', '10.1.0.1', '10.1.0.1', '1400')
    assert lease['domain'] == 'novalocal'
    assert lease['staticroutes'].split() == [
        '169.254.169.254/32', '10.1.0.1', '10.77.0.0/16', '10.1.0.9', '0.0.0.0/0', '10.1.0.1']
    assert bed.guests[0].pings('10.1.0.1')


def test_subnet_without_gateway_has_dhcp_and_metadata(bed: Bed) -> None:
    network = make_network(make_port(1), gateway=None)
    bed.wire(network)
    guest = bed.guest(network.ports[0])
    assert guest.dhcp()['ip'] == '10.1.0.11'
    assert guest.http('GET', '/latest/meta-data/')[0] == 200


def test_a_gateway_outside_its_subnet_and_no_name_server(bed: Bed) -> None:
    subnet = Subnet(id='four', cidr='10.1.0.0/24', gateway='10.9.0.1', dns=('0.0.0.0',))
    network = make_network(make_port(1), subnets=(subnet,))
    bed.wire(network)
    guest = bed.guest(network.ports[0])
    lease = guest.dhcp()
    assert (lease['ip'], lease['router'], lease.get('dns')) == ('10.1.0.11', '10.9.0.1', None)
    assert lease['staticroutes'].split()[:2] == ['10.9.0.1/32', '0.0.0.0']
    assert guest.pings('10.9.0.1')
    assert guest.http('GET', '/latest/meta-data/')[0] == 200


def test_address_goes_to_another_mac(bed: Bed) -> None:
    first = make_network(make_port(1, '10.1.0.50'))
    bed.wire(first)
    assert bed.guest(first.ports[0]).dhcp()['ip'] == '10.1.0.50'
    network = make_network(make_port(2, '10.1.0.50'), id=first.id)
    bed.agent.unwire(first.id, first.ports[0].id)
    bed.wire(network)
    assert bed.guest(network.ports[0]).dhcp()['ip'] == '10.1.0.50'


def test_host_reaches_guest_and_guest_the_world(bed: Bed) -> None:
    world = 'cguest-world'
    namespaces.ensure(world)
    try:
        run('ip', 'link', 'add', 'ext0', 'type', 'veth', 'peer', 'name', 'ext1', 'netns', world)
        run('ip', 'addr', 'add', '203.0.113.1/24', 'dev', 'ext0')
        run('ip', 'link', 'set', 'ext0', 'up')
        namespaces.run_in(world, run, 'ip', 'addr', 'add', '203.0.113.2/24', 'dev', 'ext1')
        namespaces.run_in(world, run, 'ip', 'link', 'set', 'ext1', 'up')
        [guest] = bed.boot(make_port(1, rules=(*EGRESS, PING)))
        assert guest.pings('203.0.113.2')
        assert run('ping', '-c', '1', '-w', '5', '10.1.0.11', check=False).returncode == 0
    finally:
        namespaces.remove(world)
        run('ip', 'link', 'del', 'ext0', check=False)


def test_metadata_says_who_asks(bed: Bed, upstream: Any) -> None:
    [guest] = bed.boot(make_port(1))
    status, body = guest.http('GET', '/latest/meta-data/', X__Instance__ID='victim', X_Instance_ID='victim',
                              X__Forwarded__For='10.1.0.99', X__Other='kept')
    assert (status, body) == (200, b'ami-id\n')
    method, path, headers = upstream.asked[-1]
    said = dict(headers)
    assert said['X-Instance-ID'] == 'server-1' and said['X-Tenant-ID'] == 'project'
    assert said['X-Forwarded-For'] == '10.1.0.11' and said['X-Other'] == 'kept'
    assert said['X-Instance-ID-Signature'] == hmac.new(SECRET.encode(), b'server-1', hashlib.sha256).hexdigest()
    assert len(headers) == len(said) and 'victim' not in str(headers)


def test_metadata_streams_and_takes_posts(bed: Bed, upstream: Any) -> None:
    [guest] = bed.boot(make_port(1))
    assert guest.http('GET', '/openstack/latest/user_data') == (200, b'x' * 300000)
    assert guest.http('POST', '/openstack/latest/password', b'secret' * 1000) == (200, b'secret' * 1000)
    assert guest.http('POST', '/password', b'', Content__Length='9999999')[0] == 413
    upstream.shutdown()
    upstream.server_close()
    assert guest.http('GET', '/latest/meta-data/')[0] == 503


def test_metadata_refuses_strangers(bed: Bed) -> None:
    [guest] = bed.boot(make_port(1, security=False))
    guest.run('ip', 'addr', 'flush', 'dev', 'eth0')
    guest.run('ip', 'addr', 'add', '10.1.0.200/24', 'dev', 'eth0')
    guest.run('ip', 'route', 'add', 'default', 'via', '10.1.0.1')
    assert guest.http('GET', '/latest/meta-data/')[0] == 404


def test_spoofed_packets_are_dropped(bed: Bed) -> None:
    one, two = bed.boot(make_port(1, rules=(*EGRESS, PING)), make_port(2, rules=(*EGRESS, PING)))
    assert one.pings('10.1.0.12')
    one.run('ip', 'addr', 'add', '10.1.0.99/24', 'dev', 'eth0')
    assert not one.pings('10.1.0.12', source='10.1.0.99', patience=1)
    one.run('ip', 'link', 'set', 'eth0', 'address', 'fa:16:3e:99:99:99')
    one.run('ip', 'neigh', 'flush', 'all')
    assert not one.pings('10.1.0.12', patience=1)


def test_a_network_that_cannot_be_changed_keeps_its_filters(bed: Bed) -> None:
    one, two = bed.boot(make_port(1, rules=(*EGRESS, PING)), make_port(2, rules=(*EGRESS, PING)))
    network = bed.daemon.networks[-1]
    six = Subnet(id='six', cidr='fd12:3456::/64', version=6, gateway='fd12:3456::1')
    # The kernel refuses: IPv6 needs more.
    bed.daemon.networks[-1] = dataclasses.replace(network, mtu=1000, subnets=(*network.subnets, six))
    bed.agent.endpoints()[0].refresh(None)
    wait_for(lambda: bed.daemon.failed, 'the failure is told')
    for _ in range(3):  # passes of the agent go on meanwhile
        told = len(bed.daemon.beats)
        wait_for(lambda told=told: len(bed.daemon.beats) > told + 1, 'two heartbeats')  # type: ignore[misc]
        assert names.bridge(network.id) in run('nft', 'list', 'table', 'inet', 'cnet_filtering').stdout
    assert one.pings('10.1.0.12')
    one.run('ip', 'addr', 'add', '10.1.0.99/24', 'dev', 'eth0')
    assert not one.pings('10.1.0.12', source='10.1.0.99', patience=1)


def test_forged_frames_are_dropped(bed: Bed) -> None:
    one, two = bed.boot(make_port(1), make_port(2, security=False))
    mac, local = forging.mac(one.port.mac), forging.link_local(one.port.mac)
    allowed = forging.arp(mac, mac, '10.1.0.11')
    forged = {
        'ARP for the gateway': forging.arp(mac, mac, '10.1.0.1'),
        'ARP with the MAC of another': forging.arp(mac, forging.mac(two.port.mac), '10.1.0.11'),
        'frame with the MAC of another': forging.arp(forging.mac('fa:16:3e:99:99:99'), mac, '10.1.0.11'),
        'DHCP offer': forging.udp(mac, '10.1.0.11', 67, 68),
        'router advertisement': forging.icmp6(mac, local, 134),
        'redirect': forging.icmp6(mac, local, 137),
        'neighbor advertisement for another': forging.icmp6(mac, local, 136, forging.link_local('02:00:00:00:00:09')),
        'DHCPv6 reply': forging.udp6(mac, local, 547, 546),
        'DHCP request from the MAC of another': forging.udp(forging.mac('fa:16:3e:99:99:99'), '0.0.0.0', 68, 67),
        'other protocol': forging.EVERYBODY + mac + b'\x88\xb5' + bytes(50)}
    # A raw socket shows a frame without its tag.
    hidden = allowed + b'tagged'
    request = forging.udp(mac, '0.0.0.0', 68, 67)
    with two.listen() as arriving:
        one.send(*forged.values(), forging.tagged(hidden), request, forging.icmp6(mac, local, 136, local), allowed)
        seen = []
        while not seen or seen[-1] != allowed:
            frame = arriving.recv(2000)
            if frame[6:12] in (mac, forging.mac('fa:16:3e:99:99:99')):
                seen.append(frame)
    assert [name for name, frame in forged.items() if frame in seen] == []
    assert hidden not in seen
    assert request in seen and forging.icmp6(mac, local, 136, local) in seen


def test_allowed_address_pair_may_be_used(bed: Bed) -> None:
    one, _ = bed.boot(make_port(1, allowed_address_pairs=(('10.1.0.96/28', ''),)),
                      make_port(2, rules=(*EGRESS, PING)))
    one.run('ip', 'addr', 'add', '10.1.0.99/24', 'dev', 'eth0')
    assert one.pings('10.1.0.12', source='10.1.0.99')


def test_security_groups_are_stateful_and_change(bed: Bed) -> None:
    closed, opened = make_port(1), make_port(2, rules=(*EGRESS, PING, SSH))
    one, two = bed.boot(closed, opened)
    assert one.pings('10.1.0.12')
    assert not two.pings('10.1.0.11', patience=1)
    server = threading.Thread(target=two.run, args=('timeout', '120', 'busybox', 'nc', '-l', '-p', '22'),
                              kwargs={'check': False}, daemon=True)
    server.start()
    wait_for(lambda: one.connects('10.1.0.12', 22), 'ssh is let in')
    assert not one.connects('10.1.0.12', 23)
    network = bed.agent.desired.all()[0]
    changed = tuple(dataclasses.replace(port, rules=(*EGRESS, PING)) for port in network.ports)
    bed.daemon.networks = [dataclasses.replace(network, ports=changed)]
    bed.agent.endpoints()[0].refresh(None)
    wait_for(lambda: two.pings('10.1.0.11', patience=1), 'the new rule works')


def test_egress_is_limited_to_what_is_allowed(bed: Bed) -> None:
    one, _ = bed.boot(make_port(1, rules=()), make_port(2, rules=(*EGRESS, PING)))
    assert not one.pings('10.1.0.12', patience=1)
    assert one.http('GET', '/latest/meta-data/')[0] == 200


def test_same_addresses_in_two_networks(bed: Bed, upstream: Any) -> None:
    [one] = bed.boot(make_port(1, '10.1.0.11'))
    [two] = bed.boot(make_port(2, '10.1.0.11'))
    for guest, server in ((one, 'server-1'), (two, 'server-2')):
        assert guest.pings('10.1.0.1')
        assert guest.http('GET', '/latest/meta-data/')[0] == 200
        assert dict(upstream.asked[-1][2])['X-Instance-ID'] == server
    wait_for(lambda: any('overlaps' in problem for beat in bed.daemon.beats for problem in beat.problems), 'told')


def test_connections_of_one_network_open_nothing_in_another(bed: Bed) -> None:
    one, _ = bed.boot(make_port(1, '10.1.0.11'), make_port(2, '10.1.0.12', rules=(*EGRESS, PING)))
    assert one.pings('10.1.0.12', flow=77)
    other, _ = bed.boot(make_port(3, '10.1.0.11'), make_port(4, '10.1.0.12'))
    assert not other.pings('10.1.0.12', flow=77, patience=1)


def test_networks_do_not_reach_each_other_or_the_host_through_the_bridge(bed: Bed) -> None:
    [one] = bed.boot(make_port(1))
    bed.boot(make_port(2, '10.2.0.12', rules=(*EGRESS, PING)), cidr='10.2.0.0/24', gateway='10.2.0.1')
    assert not one.pings('10.2.0.12', patience=1)
    mac = run('ip', '-o', 'link', 'show', names.bridge(one.port.network_id)).stdout.split('link/ether ')[1].split()[0]
    run('ip', 'addr', 'add', '198.51.100.1/32', 'dev', 'lo')
    one.run('ip', 'neigh', 'replace', '10.1.0.77', 'lladdr', mac, 'dev', 'eth0')
    one.run('ip', 'route', 'replace', '198.51.100.1', 'via', '10.1.0.77')
    assert not one.pings('198.51.100.1', patience=1)
    run('ip', 'addr', 'del', '198.51.100.1/32', 'dev', 'lo')


def test_ipv6_addresses_come_by_dhcp_and_advertisements_are_sent(bed: Bed) -> None:
    subnets = (Subnet(id='six', cidr='fd12:3456::/64', version=6, gateway='fd12:3456::1'),)
    address = 'fd12:3456::f816:3eff:fe00:1'
    port = make_port(1, fixed_ips=(FixedIp(address=address, subnet_id='six', version=6),), rules=EGRESS)
    network = make_network(port, subnets=subnets)
    bed.wire(network)
    guest = bed.guest(network.ports[0])
    wait_for(lambda: address in guest.run('ip', '-6', 'addr', 'show', 'dev', 'eth0', 'scope', 'global').stdout,
             'an address from the advertisement')
    wait_for(lambda: guest.pings('fd12:3456::1', patience=1), 'the gateway answers')


def test_drift_is_repaired(bed: Bed) -> None:
    [guest] = bed.boot(make_port(1))
    network = bed.agent.desired.all()[0]
    with open(f'{bed.conf.network_agent.state_dir}/networks/{network.id}/pid', encoding='ascii') as file:
        pid = int(file.read())
    os.kill(pid, signal.SIGKILL)
    run('nft', 'flush', 'table', 'inet', 'cnet_filtering')
    namespaces.run_in(names.namespace(network.id), run, 'nft', 'delete', 'table', 'ip', 'cnet_nat')
    run('ip', 'link', 'set', names.tap(guest.port.id), 'nomaster')
    wait_for(lambda: guest.pings('10.1.0.1', patience=1), 'tap is back in the bridge')
    wait_for(lambda: 'ingress_ports' in run('nft', 'list', 'chain', 'inet', 'cnet_filtering', 'ingress').stdout)
    assert guest.dhcp()['ip'] == '10.1.0.11'
    namespaces.remove(names.namespace(network.id))
    wait_for(lambda: guest.pings('10.1.0.1', patience=1), 'namespace is back')
    wait_for(lambda: _answers(guest), 'metadata is back')
    run('ip', 'link', 'del', names.bridge(network.id))
    wait_for(lambda: guest.pings('10.1.0.1', patience=1), 'bridge is back')


def _answers(guest: Guest) -> bool:
    try:
        return guest.http('GET', '/latest/meta-data/')[0] == 200
    except OSError:
        return False


def test_restarted_agent_adopts_and_removes(bed: Bed) -> None:
    kept, gone = bed.boot(make_port(1), make_port(2))
    network = bed.agent.desired.all()[0]
    pid_file = pathlib.Path(bed.conf.network_agent.state_dir) / 'networks' / network.id / 'pid'
    pid = pid_file.read_text()
    bed.daemon.networks = [dataclasses.replace(network, ports=tuple(
        port for port in network.ports if port.id == kept.port.id))]
    bed.daemon.up.clear()
    bed.restart()
    wait_for(lambda: bed.daemon.up == [kept.port.id], 'the kept port is reported')
    wait_for(lambda: run('ip', 'link', 'show', names.tap(gone.port.id), check=False).returncode, 'the other tap goes')
    assert pid_file.read_text() == pid
    assert kept.pings('10.1.0.1') and kept.http('GET', '/latest/meta-data/')[0] == 200


def test_cleanup_leaves_nothing(bed: Bed) -> None:
    run('nft', 'add', 'table', 'inet', 'somebody_elses')
    bed.boot(make_port(1))
    bed.agent.stop()
    before = set(namespaces.listed())
    namespace = next(name for name in before if name.startswith('cnet-'))
    assert Agent.cleanup(bed.conf)
    assert namespace not in namespaces.listed()
    assert run('nft', 'list', 'tables').stdout.split() == ['table', 'inet', 'somebody_elses']
    links = {line.split(':')[1].strip() for line in run('ip', '-o', 'link').stdout.splitlines()}
    assert not {link for link in links if link.startswith(('br', 'tap', 'cgw', 'cup'))}
    assert run('ip', 'route').stdout == '' and os.listdir(bed.conf.network_agent.state_dir) == []
    assert Agent.cleanup(bed.conf) == ()
    run('nft', 'delete', 'table', 'inet', 'somebody_elses')


@pytest.mark.parametrize('mode', ['eventlet', 'threading'])
def test_agent_works_with_green_and_native_threads(mode: str, state_dir: str, upstream: Any) -> None:
    network = make_network(make_port(1))
    values = {'state_dir': state_dir, 'metadata_url': f'http://127.0.0.1:{upstream.server_address[1]}',
              'heal_interval': 0.2, 'metadata_shared_secret': SECRET}
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, '-m', 'tests.real.network_agent_process', str(theirs.fileno()), json.dumps(values),
             json.dumps(encode(network))], pass_fds=[theirs.fileno()], cwd=pathlib.Path(__file__).parents[2],
            env={**os.environ, 'COMPUTE_CONCURRENCY': mode})
        theirs.close()
        try:
            assert ours.recv(2) == b'up'
            guest = Guest(network.ports[0], os.path.dirname(state_dir))
            try:
                assert guest.dhcp()['ip'] == '10.1.0.11'
                for _ in range(5):
                    assert guest.http('GET', '/openstack/latest/user_data') == (200, b'x' * 300000)
            finally:
                guest.stop()
        finally:
            ours.close()
            assert process.wait(300) == 0
            assert Agent.cleanup(make_conf(**values))
