"""Who may see and manage flavors."""

from __future__ import annotations

from compute.policies.rules import ADMIN, ANY, rule

SEE = 'os_compute_api:flavors'
_MANAGE = 'os_compute_api:os-flavor-manage'
CREATE, UPDATE, DELETE = f'{_MANAGE}:create', f'{_MANAGE}:update', f'{_MANAGE}:delete'

RULES = (
    rule(SEE, ANY, 'List and show flavors: public ones, and those the project was given access to.',
         'GET /flavors', 'GET /flavors/detail', 'GET /flavors/{flavor_id}'),
    rule(CREATE, ADMIN, 'Create a flavor.', 'POST /flavors'),
    rule(UPDATE, ADMIN, 'Change the description of a flavor.', 'PUT /flavors/{flavor_id}'),
    rule(DELETE, ADMIN, 'Delete a flavor; servers keep the copy they were made with.', 'DELETE /flavors/{flavor_id}'),
)
