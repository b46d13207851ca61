"""How this API's daemons check tokens, and as whom they talk to their neighbours."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('auth', title='Tokens')

OPTS = [
    cfg.StrOpt('strategy', default='builtin', choices=[
        ('builtin', 'tokens of compute-identity, checked here by their signature'),
        ('keystone', 'tokens of a real Keystone, checked by keystonemiddleware ([keystone_authtoken])')],
        help='Who issues the tokens that this API accepts.'),
    cfg.StrOpt('url', default='http://127.0.0.1:5000/v3',
               help='The Identity API: where service users authenticate, and where public signing keys and revocations '
                    'are fetched with the builtin strategy.'),
    cfg.FloatOpt('revocation_interval', default=5.0, min=0.1,
                 help='Seconds between two looks at the list of revoked tokens. A revoked token is refused at most '
                      'this much later.'),
]
