"""What can be said of the broker: connections that had to be made anew, and how many messages wait in our queues.

kombu's transport for AMQP is replaced by one that counts (``install()``), as ``rpc/memory.py`` replaces the one in
memory; nothing else of it changes.
"""

from __future__ import annotations

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


def install() -> None:
    """Use this transport for AMQP in this process."""
    for alias in ('amqp', 'pyamqp'):
        kombu_transports.TRANSPORT_ALIASES[alias] = f'{__name__}:Transport'


def depths(transport: Any, queues: list[str]) -> list[metrics.Sample]:
    """Return how many messages wait in queues that this process serves. It waits for a broker that is down."""
    with transport._driver._get_connection(common.PURPOSE_SEND) as connection:
        return [('compute_broker_queue_messages', connection.channel.queue_declare(queue, passive=True).message_count,
                 (queue,)) for queue in queues]
