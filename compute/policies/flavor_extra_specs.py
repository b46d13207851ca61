"""Who may see and set the extra specs of flavors."""

from __future__ import annotations

from compute.policies.rules import ADMIN, READER, rule

_NAME = 'os_compute_api:os-flavor-extra-specs'
INDEX, SHOW = f'{_NAME}:index', f'{_NAME}:show'
CREATE, UPDATE, DELETE = f'{_NAME}:create', f'{_NAME}:update', f'{_NAME}:delete'
_ALL, _ONE = '/flavors/{flavor_id}/os-extra_specs', '/flavors/{flavor_id}/os-extra_specs/{flavor_extra_spec_key}'

RULES = (
    rule(INDEX, READER, 'See the extra specs of a flavor: by themselves, and in the flavor from 2.61.',
         f'GET {_ALL}', 'POST /flavors', 'GET /flavors/detail', 'GET /flavors/{flavor_id}', 'PUT /flavors/{flavor_id}'),
    rule(SHOW, READER, 'See one extra spec of a flavor.', f'GET {_ONE}'),
    rule(CREATE, ADMIN, 'Add extra specs to a flavor.', f'POST {_ALL}'),
    rule(UPDATE, ADMIN, 'Change one extra spec of a flavor.', f'PUT {_ONE}'),
    rule(DELETE, ADMIN, 'Remove one extra spec of a flavor.', f'DELETE {_ONE}'),
)
