"""Options of every daemon."""

from __future__ import annotations

import socket

from oslo_config import cfg

GROUP = cfg.OptGroup('DEFAULT', title='Every daemon')

OPTS = [
    cfg.StrOpt('host', default=socket.gethostname(), sample_default='<this machine\'s name>',
               help='Name under which the daemons of this machine report themselves and are reached on the bus. It '
                    'must not change while servers run on the machine.'),
    cfg.StrOpt('api_paste_config', default='',
               help='File with the WSGI pipelines; empty for the one that comes with the package.'),
    cfg.IntOpt('http_pool_size', default=200, min=1,
               help='HTTP requests that one daemon serves at the same time; further ones wait.'),
    cfg.IntOpt('graceful_shutdown_timeout', default=60, min=0,
               help='Seconds that a daemon which is told to stop waits for its running work. What is not done by then '
                    'is taken up after the next start.'),
    cfg.FloatOpt('hub_lag_warning', default=1.0, min=0.1,
                 help='Seconds for which a blocking call may hold up every green thread before the log says so.'),
]
