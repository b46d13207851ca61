"""As whom daemons talk to Identity, Image and Network."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('service_user', title='The user that daemons act as')

OPTS = [
    cfg.StrOpt('username', default='compute', help='Name of the service user.'),
    cfg.StrOpt('password', default='', secret=True, help='Its password.'),
    cfg.StrOpt('user_domain_name', default='Default', help='Domain of the user.'),
    cfg.StrOpt('project_name', default='service', help='Project in which it acts.'),
    cfg.StrOpt('project_domain_name', default='Default', help='Domain of the project.'),
    cfg.StrOpt('region_name', default='RegionOne', help='Region whose endpoints are used.'),
    cfg.StrOpt('interface', default='internal', choices=['public', 'internal', 'admin'],
               help='Which endpoints of the catalog are used.'),
    cfg.StrOpt('cafile', default='', help='Certificate bundle for HTTPS endpoints; empty for the system\'s.'),
    cfg.FloatOpt('timeout', default=30.0, min=1.0,
                 help='Seconds without an answer (of a download: without a byte) after which a request is given up.'),
    cfg.IntOpt('retries', default=2, min=0,
               help='How often a request to a service that does not answer, or that answers 502, 503 or 504, is sent '
                    'again. Requests that would do something twice are sent again only if they never arrived.'),
]
