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
               help='Seconds that a daemon which is told to stop has to finish its running work. What is not done by '
                    'then is handed back: another conductor goes on with it, or this host after its next start.'),
    cfg.FloatOpt('http_drain', default=0.0, min=0,
                 help='Seconds that a REST daemon which is told to stop goes on taking connections while /healthcheck '
                      'says 503: so long a load balancer in front may take to notice. Not needed where the socket '
                      'outlives the process (systemd, workers).'),
    cfg.FloatOpt('http_idle_grace', default=3.0, min=0,
                 help='Seconds that a REST daemon which stops goes on while connections are open on which no request '
                      'runs. Every answer meanwhile tells the client to connect anew, so that a client which asks '
                      'more often loses no request. Those of OpenStack ask every two seconds when they wait.'),
    cfg.FloatOpt('hub_lag_warning', default=1.0, min=0.1,
                 help='Seconds for which a blocking call may hold up every green thread before the log says so.'),
    cfg.IntOpt('idempotency_retention', default=86400, min=60,
               help='Seconds for which the APIs remember requests with an Idempotency-Key and what they answered. A '
                    'client that sends a request again later than that has it done again.'),
]
