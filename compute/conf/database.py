"""The databases: one URL for each store. Only control-plane daemons read these; hosts have none."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('database', title='Databases')

_FORM = ('as an SQLAlchemy URL: sqlite:////path/file.sqlite, mysql+pymysql://user:password@host/name or '
         'postgresql+pg8000://user:password@host/name')

OPTS = [
    cfg.StrOpt('connection', default='sqlite:////var/lib/compute/compute.sqlite', secret=True,
               help=f'The controller\'s own store (servers, hosts, operations), {_FORM}.'),
    cfg.StrOpt('identity_connection', default='sqlite:////var/lib/compute/identity.sqlite', secret=True,
               help=f'The store of the built-in identity daemon, {_FORM}.'),
    cfg.StrOpt('image_connection', default='sqlite:////var/lib/compute/image.sqlite', secret=True,
               help=f'The store of the built-in image daemon, {_FORM}.'),
    cfg.StrOpt('network_connection', default='sqlite:////var/lib/compute/network.sqlite', secret=True,
               help=f'The store of the built-in network daemon, {_FORM}.'),
    cfg.IntOpt('max_pool_size', default=20, min=1,
               help='Connections that a process keeps open to one store: at least the requests that it usually serves '
                    'at the same time, because making one costs as much as ten reads.'),
    cfg.IntOpt('max_overflow', default=10, min=0, help='Further connections under load, closed when idle.'),
    cfg.IntOpt('pool_timeout', default=30, min=1,
               help='Seconds to wait for a free connection before the request fails with 503.'),
    cfg.IntOpt('query_timeout', default=30, min=1,
               help='Seconds that one statement may take (MariaDB and PostgreSQL) before it is given up.'),
    cfg.IntOpt('lock_timeout', default=10, min=1,
               help='Seconds that one statement waits for a lock of another transaction (MariaDB and PostgreSQL).'),
    cfg.FloatOpt('retry_time', default=10.0, min=0,
                 help='Seconds after which a transaction is not retried (max_retries), and limit of the wait for other '
                      'writers of the same process (SQLite). The request then fails with 503. When the database '
                      'hangs, the first requests fail after query_timeout, later ones at once.'),
    cfg.IntOpt('idle_transaction_timeout', default=10, min=1,
               help='Seconds after which MariaDB or PostgreSQL ends a transaction in which nothing was asked: a '
                    'process that is paused in the middle of one (a suspended machine, a debugger) would keep its rows '
                    'locked for all others. When it wakes it begins the transaction anew. MySQL does not know this.'),
    cfg.IntOpt('max_retries', default=10, min=0,
               help='How often a transaction that lost against another (deadlock, busy) or met a lost connection is '
                    'tried again.'),
]
