"""The listener for health and the like, which every daemon may have: those without an API of their own need it."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('health', title='Health of a daemon')

OPTS = [
    cfg.StrOpt('listen_host', default='127.0.0.1',
               help='Address of the health listener. It asks nobody for a token: keep it to this machine or to a '
                    'network of the operators.'),
    cfg.PortOpt('listen_port', default=0,
                help='Port on which this daemon tells how it is (/healthcheck), beside any API that it serves. 0: it '
                     'has no such listener.'),
    cfg.FloatOpt('interval', default=5.0, min=0.1,
                 help='Seconds between two looks of a daemon at what it depends on: database, broker, hypervisor, '
                      'disk. What does not work is looked at more often; neighbours are asked twelve times less.'),
    cfg.IntOpt('metrics_servers', default=1000, min=0, max=4000,
               help='Servers that /metrics of a conductor shows one by one (openstack_nova_server_status), the newest '
                    'first. The numbers of all are always there; 0 shows no single one.'),
]
