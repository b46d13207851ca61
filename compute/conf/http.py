"""What every HTTP server of the daemons grants to clients: times, rates and numbers of connections."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('http', title='HTTP servers', help='''
Limits of every listener: REST APIs, metadata and health. A request is served when it has come whole; until then it
takes a connection and memory, but none of http_pool_size.
''')

OPTS = [
    cfg.FloatOpt('header_timeout', default=20.0, min=1,
                 help='Seconds in which the headers of a request must have come, from their first byte on. Later they '
                      'are refused with 408.'),
    cfg.FloatOpt('body_timeout', default=60.0, min=1,
                 help='Seconds in which the body of a request must have come, image data excepted. Later it is refused '
                      'with 408.'),
    cfg.IntOpt('least_rate', default=1000, min=0,
               help='Bytes per second at which headers and bodies must come, and answers be taken, after the first ten '
                    'seconds. 0: no such rate; the times above hold all the same.'),
    cfg.IntOpt('stream_least_rate', default=10000, min=0,
               help='Bytes per second at which image data must come and be taken, in every ten seconds of waiting for '
                    'the client. 0: any progress is enough.'),
    cfg.IntOpt('streams', default=50, min=1,
               help='Uploads of image data that one process serves at the same time, and as many downloads; further '
                    'ones wait. They take none of http_pool_size.'),
    cfg.IntOpt('max_connections', default=4000, min=1,
               help='Connections that one listener keeps open. When there is no room, the one that was idle for the '
                    'longest time is closed for a new one.'),
    cfg.IntOpt('max_connections_per_address', default=1000, min=0,
               help='Connections that one client address may have open at a listener; more are refused with 503. 0: no '
                    'limit. Behind a proxy or NAT all clients have one address: name it in proxy_addresses.'),
    cfg.ListOpt('proxy_addresses', default=[],
                help='Addresses or networks (10.0.0.0/24) of proxies and load balancers, to which '
                     'max_connections_per_address does not apply. They must limit their own clients.'),
]
