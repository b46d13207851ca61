"""What oslo.messaging's driver logs of messages that the broker delivers twice."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from oslo_messaging._drivers import amqpdriver

from compute.rpc import broker


class Message(dict[str, Any]):
    """A message as the driver's consumer gives it."""

    def acknowledge(self) -> None:
        """Say that it has come."""


def twice(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[logging.LogRecord]:
    """Deliver one message twice to a listener of the driver; return what it logs."""
    broker.install()
    connection: Any = SimpleNamespace(conf=None)
    driver: Any = SimpleNamespace(prefetch_size=0)
    listener = amqpdriver.RpcAMQPListener(driver, connection)
    with caplog.at_level(level, 'oslo_messaging._drivers.amqpdriver'):
        for _ in range(2):
            listener(Message({'_unique_id': 'u1', 'method': 'm', '_msg_id': None}))
    assert len(listener.incoming) == 1
    return caplog.records


def test_a_repeated_message_is_one_line_at_info(caplog: pytest.LogCaptureFixture) -> None:
    line, = twice(caplog)
    assert (line.levelname, line.exc_info) == ('INFO', None)
    assert 'duplicate' in line.getMessage()
    assert 'Traceback' not in caplog.text


def test_where_info_is_not_logged_it_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert twice(caplog, logging.WARNING) == []


def test_other_exceptions_stay_errors(caplog: pytest.LogCaptureFixture) -> None:
    broker.install()
    logger = logging.getLogger('oslo_messaging._drivers.amqpdriver')
    try:
        raise ValueError('broken')
    except ValueError:
        logger.exception('it failed')
    line, = caplog.records
    assert line.levelname == 'ERROR' and line.exc_info is not None
