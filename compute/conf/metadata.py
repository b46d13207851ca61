"""The metadata daemon, which guests reach at 169.254.169.254 through the network agent of their host."""

from __future__ import annotations

from oslo_config import cfg

from compute.conf import workers

GROUP = cfg.OptGroup('metadata', title='Metadata')

OPTS = [
    cfg.StrOpt('listen_host', default='127.0.0.1', help='Address to serve at; the network agents must reach it.'),
    cfg.PortOpt('listen_port', default=8775, help='Port to serve at.'),
    workers(),
    cfg.StrOpt('shared_secret', default='', secret=True,
               help='The secret with which network agents sign whose request they pass on ([network_agent] '
                    'metadata_shared_secret). Without one every request is refused.'),
    cfg.FloatOpt('cache_time', default=15.0, min=0, help='Seconds for which a server\'s documents are kept.'),
]
