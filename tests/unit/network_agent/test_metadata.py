"""Who asks for metadata, and what of a guest's request goes on."""

from __future__ import annotations

import errno
import threading
from email.message import Message
from typing import Any

import pytest

from compute.builtin.network.agent.metadata.proxy import Asker, Upstream, passed_on
from compute.builtin.network.agent.metadata.service import Listener, askers
from compute.objects.nic import FixedIp
from tests.contract.network_agent.making import make_network, make_port


def test_each_address_of_a_port_is_its_server() -> None:
    fixed = (FixedIp(address='10.1.0.5', subnet_id='four'), FixedIp(address='FD00:0::5', subnet_id='six', version=6))
    network = make_network(make_port(1, fixed_ips=fixed), make_port(2, device_id=''))
    assert askers(network) == {address: Asker('server-1', 'project') for address in ('10.1.0.5', 'fd00::5')}


def test_headers_about_identity_and_connection_stay_behind() -> None:
    headers = Message()
    for name in ('X-Instance-ID', 'x-instance-id-signature', 'X_Tenant_ID', 'X-Forwarded-For', 'Connection', 'Host',
                 'X-Metadata-Provider', 'Content-Length'):
        headers[name] = 'forged'
    headers['X-aws-ec2-metadata-token'] = 'kept'
    headers['Accept'] = 'one'
    headers['Accept'] = 'two'
    assert passed_on(headers) == {'X-aws-ec2-metadata-token': 'kept', 'Accept': 'one, two'}


@pytest.mark.parametrize(('asked', 'path'), [
    ('/latest/meta-data/', '/base/latest/meta-data/'), ('http://evil/openstack?x=1', '/base/openstack?x=1')])
def test_path_stays_below_the_upstream(asked: str, path: str) -> None:
    assert Upstream('http://127.0.0.1:8775/base/', 'secret', 1).path(asked) == path

class Tired:
    """A listening socket that fails once; then nobody comes."""

    def __init__(self) -> None:
        self.asked, self.again, self._closed = 0, threading.Event(), threading.Event()

    def settimeout(self, seconds: float) -> None:
        """Wait not at all."""

    def accept(self) -> Any:
        self.asked += 1
        if self.asked == 1:
            raise OSError(errno.EMFILE, 'Too many open files')
        self.again.set()
        self._closed.wait()
        raise TimeoutError

    def shutdown(self, how: int) -> None:
        """Let ``accept`` return."""
        self._closed.set()

    def close(self) -> None:
        """Let ``accept`` return."""
        self._closed.set()


def test_a_listener_outlives_a_moment_without_descriptors() -> None:
    sock = Tired()
    listener = Listener(make_network(), sock, 1, None, None)  # type: ignore[arg-type]
    assert sock.again.wait(120)
    listener.close()
