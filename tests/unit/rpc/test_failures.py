"""What goes wrong on the way to a peer, as its caller sees it, and how it is counted."""

from __future__ import annotations

from typing import Any

import oslo_messaging
import pytest

from compute import concurrency, exception, metrics
from compute.rpc.conductor import Reports
from compute.rpc.transport import Breaker, Proxy

LABEL = 'conductor.reports'


def proxy() -> Proxy:
    made = Proxy.__new__(Proxy)
    made._interface, made._server, made._breaker = Reports, None, Breaker()
    made._casters = concurrency.Pool('test', 1)
    return made


@pytest.mark.parametrize(('error', 'reason', 'kind', 'code'), [
    (oslo_messaging.MessagingTimeout(), 'timeout', exception.RpcTimeout, 'rpc_timeout'),
    (oslo_messaging.MessageUndeliverable(None, None, None, None), 'callee', exception.Unavailable, 'callee_unknown'),
    (oslo_messaging.MessageDeliveryFailure('x'), 'broker', exception.Unavailable, 'broker_unavailable'),
    (OSError(111, 'Connection refused'), 'broker', exception.Unavailable, 'broker_unavailable'),
    (oslo_messaging.RemoteError('NoSuchMethod'), 'version', exception.Unavailable, 'rpc_version'),
    (oslo_messaging.RemoteError('KeyError', 'x'), 'remote', exception.ComputeError, 'remote_error')])
def test_each_failure_has_a_meaning_and_a_reason(error: Exception, reason: str, kind: type, code: str) -> None:
    def send() -> Any:
        raise error
    before = metrics.value('compute_rpc_client_errors_total', LABEL, 'begin', reason)
    with pytest.raises(exception.ComputeError) as caught:
        proxy()._guard('begin', 15, send)
    assert isinstance(caught.value, kind) and caught.value.code == code
    assert metrics.value('compute_rpc_client_errors_total', LABEL, 'begin', reason) == before + 1
