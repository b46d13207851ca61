"""What can be said of the broker: connections that had to be made anew, and how many messages wait in our queues.

kombu's transport for AMQP is replaced by one that counts (``install()``), as ``rpc/memory.py`` replaces the one in
memory; nothing else of it changes. A message that the broker delivers twice is no error in the log.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu import transport as kombu_transports
from kombu.transport import pyamqp
from oslo_messaging._drivers import common

from compute import metrics


class Transport(pyamqp.Transport):
    """Counts the connections that replace one that was lost."""

    def establish_connection(self) -> Any:
        """Connect, as the original does."""
        connection = super().establish_connection()
        client: Any = self.client  # it stays while its transports come and go
        if getattr(client, '_was_connected', False):
            metrics.count('compute_broker_reconnects_total')
        client._was_connected = True
        return connection


class Repeated(logging.Filter):
    """Lets a repeated message be one line at INFO.

    The broker delivers again what was not acknowledged when it restarted, and oslo.messaging drops it: nothing is
    wrong, yet the driver logs it as an exception.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record of a dropped message; others pass as they are."""
        kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
        if kind is not None and issubclass(kind, common.DuplicateMessageError):
            record.levelno, record.levelname, record.exc_info = logging.INFO, 'INFO', None
            return logging.getLogger(record.name).isEnabledFor(logging.INFO)
        return True


_REPEATED = Repeated()


def install() -> None:
    """Use this transport for AMQP in this process, and log repeated messages in one line."""
    for alias in ('amqp', 'pyamqp'):
        kombu_transports.TRANSPORT_ALIASES[alias] = f'{__name__}:Transport'
    logging.getLogger('oslo_messaging._drivers.amqpdriver').addFilter(_REPEATED)


def depths(transport: Any, queues: list[str]) -> list[metrics.Sample]:
    """Return how many messages wait in queues that this process serves. It waits for a broker that is down."""
    with transport._driver._get_connection(common.PURPOSE_SEND) as connection:
        return [('compute_broker_queue_messages', connection.channel.queue_declare(queue, passive=True).message_count,
                 (queue,)) for queue in queues]
