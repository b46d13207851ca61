"""Options of the built-in identity daemon."""

from __future__ import annotations

from oslo_config import cfg

from compute.conf import public_endpoint, workers

GROUP = cfg.OptGroup('identity', title='Built-in identity')

OPTS = [
    cfg.StrOpt('listen_host', default='0.0.0.0', help='Address on which compute-identity serves HTTP.'),
    cfg.PortOpt('listen_port', default=5000, help='Port on which compute-identity serves HTTP.'),
    workers(),
    public_endpoint(5000),
    cfg.StrOpt('key_repository', default='/var/lib/compute/identity-keys',
               help='Folder with the keys that sign tokens, made at the first start, readable for the daemon only. '
                    'Several identity daemons need the same content; it holds private keys, so no other daemon should '
                    'be able to read it. Rotate with "compute-manage identity rotate-keys".'),
    cfg.IntOpt('token_lifetime', default=14400, min=60, max=604800,
               help='Seconds for which a token is valid. A token made from another token ends with that one.'),
    cfg.IntOpt('list_limit', default=10000, min=1, max=20000,
               help='Maximum number of items in one response. A longer list is cut and has "truncated": true, and a '
                    'link to the next page if the list has pages.'),
    cfg.IntOpt('password_hash_rounds', default=12, min=4, max=31,
               help='Cost of bcrypt for passwords and secrets of application credentials: each step doubles the time '
                    'that a login takes. Stored hashes keep the cost that they were made with.'),
    cfg.IntOpt('lockout_failure_attempts', default=10, min=0,
               help='Wrong passwords in a row after which a user is locked out for the address that they came from; 0 '
                    'never locks. As many logins of one user and address are checked at a time; more wait. An IPv6 '
                    '/64 is one address. Behind a proxy all clients have the address of the proxy, unless '
                    '[oslo_middleware] enable_proxy_headers_parsing is set. Secrets of application credentials are '
                    'counted likewise. Users with the option ignore_lockout_failure_attempts (service users) are '
                    'exempt.'),
    cfg.IntOpt('lockout_duration', default=300, min=1,
               help='Seconds for which a user stays locked out for an address. Wrong passwords are forgotten after '
                    'the same time without a login.'),
]
