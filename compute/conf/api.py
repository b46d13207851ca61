"""The Compute API: where it listens and how long its lists are."""

from __future__ import annotations

from oslo_config import cfg

from compute.conf import public_endpoint, workers

GROUP = cfg.OptGroup('api', title='Compute API')

OPTS = [
    cfg.StrOpt('listen_host', default='0.0.0.0', help='Address on which the Compute API listens.'),
    cfg.PortOpt('listen_port', default=8774, help='Port on which the Compute API listens.'),
    workers(),
    public_endpoint(8774),
    cfg.IntOpt('max_limit', default=1000, min=1, help='''
Items in one page of a list. A client that asks for more gets this many and a link to the next page.
'''),
    cfg.FloatOpt('neighbour_memory', default=1.0, min=0, max=10, help='''
Seconds for which a request to create servers may go by what the same caller was told of an image or a network, so that
many requests at once do not each ask for it. 0 asks each time.
'''),
]
