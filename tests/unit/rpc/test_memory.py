"""The bus inside one process warns of nothing."""

from __future__ import annotations

import logging

import pytest
from oslo_config import cfg

from compute import conf as options
from compute.rpc import memory
from compute.rpc.transport import Rpc


@pytest.mark.parametrize(('url', 'wanted'), [
    ('rabbit://u:p@h/v', 'rabbit://u:p@h/v'),
    ('kombu+memory://', 'kombu+memory://?heartbeat_timeout_threshold=0'),
    ('kombu+memory:////', 'kombu+memory:////?heartbeat_timeout_threshold=0'),
    ('kombu+memory://?heartbeat_rate=1', 'kombu+memory://?heartbeat_rate=1')])
def test_addresses(url: str, wanted: str) -> None:
    assert memory.address(url) == wanted


def test_a_server_and_a_client_log_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    conf = options.register(cfg.CONF)
    conf([], project='compute', default_config_files=[])
    rpc = Rpc(conf, 'kombu+memory://')
    server = rpc.server('t', 'here', [])
    with caplog.at_level(logging.WARNING):
        server.start()
        assert rpc.ping('t', 'here') >= 0
        server.stop()
        server.wait()
        rpc.close()
    assert [record.getMessage() for record in caplog.records] == []
