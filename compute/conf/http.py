"""Options of every HTTP server: time limits, least rates and numbers of connections."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('http', title='HTTP servers', help='''
Limits of every listener: REST APIs, metadata and health. A request is served when it was received completely; until
then it occupies a connection and memory, but no slot of http_pool_size.
''')

OPTS = [
    cfg.FloatOpt('header_timeout', default=20.0, min=1,
                 help='Seconds within which all headers of a request must be received, counted from the first byte. A '
                      'slower request is refused with 408.'),
    cfg.FloatOpt('body_timeout', default=60.0, min=1,
                 help='Seconds within which the body of a request must be received, image data excepted. A slower '
                      'request is refused with 408.'),
    cfg.IntOpt('least_rate', default=1000, min=0,
               help='Least rate, in bytes per second, at which clients must send headers and bodies and receive '
                    'responses, after the first ten seconds. 0: no least rate; the timeouts apply all the same.'),
    cfg.IntOpt('stream_least_rate', default=10000, min=0,
               help='Least rate, in bytes per second, at which clients must send and receive image data, in every ten '
                    'seconds of waiting for the client. 0: any progress is enough.'),
    cfg.IntOpt('streams', default=50, min=1,
               help='Uploads of image data that one process serves at the same time, and as many downloads; further '
                    'ones wait. They occupy no slot of http_pool_size.'),
    cfg.IntOpt('max_connections', default=4000, min=1,
               help='Connections that one listener keeps open. At the limit, a new connection closes the one that '
                    'was idle for the longest time.'),
    cfg.IntOpt('max_connections_per_address', default=1000, min=0,
               help='Connections that one client address may have open at a listener; more are refused with 503. 0: no '
                    'limit. Behind a proxy or NAT all clients have one address: name it in proxy_addresses.'),
    cfg.ListOpt('proxy_addresses', default=[],
                help='Addresses or networks (10.0.0.0/24) of proxies and load balancers, to which '
                     'max_connections_per_address does not apply. They must limit their own clients.'),
]
