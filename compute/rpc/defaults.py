"""Defaults of oslo.messaging that differ from the library's own, and why."""

from __future__ import annotations

import oslo_messaging
from oslo_config import cfg
from oslo_messaging import server
from oslo_messaging._drivers import impl_rabbit


def apply() -> None:
    """Set them; before the configuration is read."""
    oslo_messaging.set_transport_defaults(control_exchange='compute')
    # An attempt on a broker that is down costs kombu_reconnect_delay (twice) and rabbit_retry_interval (at least 1 s):
    # that is what a cast may hold up its caller (rpc.transport retries it once). Those who listen try for ever, every
    # rabbit_interval_max seconds, so that is how long the first message waits after the broker is back.
    # A daemon that hangs gets messages of the queue it shares until the broker gives it up: no more than these few.
    # More threads for requests than connections to the database would only wait, and each keeps some memory for good.
    # Connections for sending, each with a thread for its heartbeats, are few, and go when they are idle after a burst.
    cfg.set_defaults(impl_rabbit.rabbit_opts, heartbeat_timeout_threshold=30, heartbeat_rate=3,
                     kombu_reconnect_delay=0.1, rabbit_retry_interval=1, rabbit_retry_backoff=1, rabbit_interval_max=2,
                     rabbit_qos_prefetch_count=4, conn_pool_ttl=120, rpc_conn_pool_size=12)
    cfg.set_defaults(server._pool_opts, executor_thread_pool_size=32)
