"""The Compute API: where it listens and how long its lists are."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('api', title='Compute API')

OPTS = [
    cfg.StrOpt('listen_host', default='0.0.0.0', help='Address on which the Compute API listens.'),
    cfg.PortOpt('listen_port', default=8774, help='Port on which the Compute API listens.'),
    cfg.IntOpt('max_limit', default=1000, min=1, help='''
Items in one page of a list. A client that asks for more gets this many and a link to the next page.
'''),
]
