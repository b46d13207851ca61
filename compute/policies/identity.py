"""Who may do what in the built-in identity.

Administrators do everything. A reader with system scope sees everything, a reader with domain scope sees its domain.
Everybody sees themselves. The names are Keystone's.
"""

from __future__ import annotations

from typing import Any

from oslo_policy import policy

_ADMIN = 'rule:admin_required'
_SYSTEM_READER = f'{_ADMIN} or (role:reader and system_scope:all)'
_DOMAIN_READER = f'{_SYSTEM_READER} or (role:reader and domain_id:%(domain_id)s)'
_SELF = 'user_id:%(user_id)s'
_ANYBODY = '@'


def _on(method: str, end: str) -> tuple[str, ...]:
    """Return the operations on the roles of users and groups on projects and domains, given and inherited."""
    plain = [f'/{target}s/{{{target}_id}}/{actor}s/{{{actor}_id}}/roles{end}'
             for target in ('project', 'domain') for actor in ('user', 'group')]
    return (*(f'{method} /v3{path}' for path in plain),
            *(f'{method} /v3/OS-INHERIT{path}/inherited_to_projects' for path in plain))


_TABLE: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ('list_domains', _DOMAIN_READER, 'List domains; with domain scope only that one.', ('GET /v3/domains',)),
    ('get_domain', f'{_DOMAIN_READER} or user_domain_id:%(domain_id)s or project_domain_id:%(domain_id)s',
     'Show a domain.', ('GET /v3/domains/{domain_id}',)),
    ('create_domain', _ADMIN, 'Create a domain.', ('POST /v3/domains',)),
    ('update_domain', _ADMIN, 'Change a domain.', ('PATCH /v3/domains/{domain_id}',)),
    ('delete_domain', _ADMIN, 'Delete a disabled domain with all that is in it.', ('DELETE /v3/domains/{domain_id}',)),
    ('list_projects', _DOMAIN_READER, 'List projects.', ('GET /v3/projects',)),
    ('get_project', f'{_DOMAIN_READER} or project_id:%(id)s', 'Show a project.', ('GET /v3/projects/{project_id}',)),
    ('create_project', _ADMIN, 'Create a project.', ('POST /v3/projects',)),
    ('update_project', _ADMIN, 'Change a project.', ('PATCH /v3/projects/{project_id}',)),
    ('delete_project', _ADMIN, 'Delete a project.', ('DELETE /v3/projects/{project_id}',)),
    ('list_user_projects', f'{_DOMAIN_READER} or {_SELF}', 'List the projects on which a user has a role.',
     ('GET /v3/users/{user_id}/projects',)),
    ('list_users', _DOMAIN_READER, 'List users.', ('GET /v3/users',)),
    ('get_user', f'{_DOMAIN_READER} or user_id:%(id)s', 'Show a user.', ('GET /v3/users/{user_id}',)),
    ('create_user', _ADMIN, 'Create a user.', ('POST /v3/users',)),
    ('update_user', _ADMIN, 'Change a user, or set a password.', ('PATCH /v3/users/{user_id}',)),
    ('delete_user', _ADMIN, 'Delete a user.', ('DELETE /v3/users/{user_id}',)),
    ('list_project_tags', f'{_DOMAIN_READER} or project_id:%(id)s', 'List the tags of a project.',
     ('GET /v3/projects/{project_id}/tags',)),
    ('get_project_tag', f'{_DOMAIN_READER} or project_id:%(id)s', 'Check whether a project has a tag.',
     ('GET /v3/projects/{project_id}/tags/{value}',)),
    ('update_project_tags', _ADMIN, 'Replace the tags of a project.', ('PUT /v3/projects/{project_id}/tags',)),
    ('create_project_tag', _ADMIN, 'Add a tag to a project.', ('PUT /v3/projects/{project_id}/tags/{value}',)),
    ('delete_project_tags', _ADMIN, 'Remove all tags of a project.', ('DELETE /v3/projects/{project_id}/tags',)),
    ('delete_project_tag', _ADMIN, 'Remove a tag of a project.', ('DELETE /v3/projects/{project_id}/tags/{value}',)),
    ('list_groups', _DOMAIN_READER, 'List groups.', ('GET /v3/groups',)),
    ('get_group', _DOMAIN_READER, 'Show a group.', ('GET /v3/groups/{group_id}',)),
    ('create_group', _ADMIN, 'Create a group.', ('POST /v3/groups',)),
    ('update_group', _ADMIN, 'Change a group.', ('PATCH /v3/groups/{group_id}',)),
    ('delete_group', _ADMIN, 'Delete a group.', ('DELETE /v3/groups/{group_id}',)),
    ('list_groups_for_user', f'{_DOMAIN_READER} or {_SELF}', 'List the groups that a user is in.',
     ('GET /v3/users/{user_id}/groups',)),
    ('list_users_in_group', _DOMAIN_READER, 'List the users in a group.', ('GET /v3/groups/{group_id}/users',)),
    ('check_user_in_group', _DOMAIN_READER, 'Check whether a user is in a group.',
     ('GET /v3/groups/{group_id}/users/{user_id}',)),
    ('add_user_to_group', _ADMIN, 'Add a user to a group.', ('PUT /v3/groups/{group_id}/users/{user_id}',)),
    ('remove_user_from_group', _ADMIN, 'Remove a user from a group.',
     ('DELETE /v3/groups/{group_id}/users/{user_id}',)),
    ('list_roles', f'{_SYSTEM_READER} or role:manager', 'List roles.', ('GET /v3/roles',)),
    ('get_role', f'{_SYSTEM_READER} or role:manager', 'Show a role.', ('GET /v3/roles/{role_id}',)),
    ('create_role', _ADMIN, 'Create a role.', ('POST /v3/roles',)),
    ('update_role', _ADMIN, 'Change a role.', ('PATCH /v3/roles/{role_id}',)),
    ('delete_role', _ADMIN, 'Delete a role.', ('DELETE /v3/roles/{role_id}',)),
    ('list_role_inference_rules', _SYSTEM_READER, 'List which roles imply which.', ('GET /v3/role_inferences',)),
    ('get_implied_role', _SYSTEM_READER, 'See which roles a role implies.',
     ('GET /v3/roles/{prior_role_id}/implies/{implied_role_id}',)),
    ('create_implied_role', _ADMIN, 'Let a role imply another.',
     ('PUT /v3/roles/{prior_role_id}/implies/{implied_role_id}',)),
    ('delete_implied_role', _ADMIN, 'Let a role no longer imply another.',
     ('DELETE /v3/roles/{prior_role_id}/implies/{implied_role_id}',)),
    ('list_role_assignments', _DOMAIN_READER,
     'List role assignments; with domain scope, only those on that domain and its projects.',
     ('GET /v3/role_assignments',)),
    ('list_grants', _DOMAIN_READER, 'List the roles of a user or group on a project or domain.', _on('GET', '')),
    ('check_grant', _DOMAIN_READER, 'Check whether a user or group has a role on a project or domain.',
     _on('GET', '/{role_id}')),
    ('create_grant', _ADMIN, 'Assign a role to a user or group on a project or domain.', _on('PUT', '/{role_id}')),
    ('revoke_grant', _ADMIN, 'Revoke a role of a user or group on a project or domain.', _on('DELETE', '/{role_id}')),
    *(row for actor in ('user', 'group') for row in (
        (f'list_system_grants_for_{actor}', _SYSTEM_READER, f'List the roles of a {actor} on the system.',
         (f'GET /v3/system/{actor}s/{{{actor}_id}}/roles',)),
        (f'check_system_grant_for_{actor}', _SYSTEM_READER, f'Check whether a {actor} has a role on the system.',
         (f'GET /v3/system/{actor}s/{{{actor}_id}}/roles/{{role_id}}',)),
        (f'create_system_grant_for_{actor}', _ADMIN, f'Assign a role to a {actor} on the system.',
         (f'PUT /v3/system/{actor}s/{{{actor}_id}}/roles/{{role_id}}',)),
        (f'revoke_system_grant_for_{actor}', _ADMIN, f'Revoke a role of a {actor} on the system.',
         (f'DELETE /v3/system/{actor}s/{{{actor}_id}}/roles/{{role_id}}',)))),
    ('list_services', _SYSTEM_READER, 'List services.', ('GET /v3/services',)),
    ('get_service', _SYSTEM_READER, 'Show a service.', ('GET /v3/services/{service_id}',)),
    ('create_service', _ADMIN, 'Create a service.', ('POST /v3/services',)),
    ('update_service', _ADMIN, 'Change a service.', ('PATCH /v3/services/{service_id}',)),
    ('delete_service', _ADMIN, 'Delete a service with its endpoints.', ('DELETE /v3/services/{service_id}',)),
    ('list_endpoints', _SYSTEM_READER, 'List endpoints.', ('GET /v3/endpoints',)),
    ('get_endpoint', _SYSTEM_READER, 'Show an endpoint.', ('GET /v3/endpoints/{endpoint_id}',)),
    ('create_endpoint', _ADMIN, 'Create an endpoint.', ('POST /v3/endpoints',)),
    ('update_endpoint', _ADMIN, 'Change an endpoint.', ('PATCH /v3/endpoints/{endpoint_id}',)),
    ('delete_endpoint', _ADMIN, 'Delete an endpoint.', ('DELETE /v3/endpoints/{endpoint_id}',)),
    ('list_regions', _ANYBODY, 'List regions.', ('GET /v3/regions',)),
    ('get_region', _ANYBODY, 'Show a region.', ('GET /v3/regions/{region_id}',)),
    ('create_region', _ADMIN, 'Create a region.', ('POST /v3/regions', 'PUT /v3/regions/{region_id}')),
    ('update_region', _ADMIN, 'Change a region.', ('PATCH /v3/regions/{region_id}',)),
    ('delete_region', _ADMIN, 'Delete a region.', ('DELETE /v3/regions/{region_id}',)),
    ('list_application_credentials', f'{_SYSTEM_READER} or {_SELF}', 'List the application credentials of a user.',
     ('GET /v3/users/{user_id}/application_credentials',)),
    ('get_application_credential', f'{_SYSTEM_READER} or {_SELF}', 'Show an application credential.',
     ('GET /v3/users/{user_id}/application_credentials/{application_credential_id}',)),
    ('create_application_credential', _SELF, 'Create an application credential of one\'s own.',
     ('POST /v3/users/{user_id}/application_credentials',)),
    ('delete_application_credential', f'{_ADMIN} or {_SELF}', 'Delete an application credential.',
     ('DELETE /v3/users/{user_id}/application_credentials/{application_credential_id}',)),
    ('list_credentials', f'{_SYSTEM_READER} or {_SELF}', 'List credentials; other users see only their own.',
     ('GET /v3/credentials',)),
    ('get_credential', f'{_SYSTEM_READER} or {_SELF}', 'Show a credential.', ('GET /v3/credentials/{credential_id}',)),
    ('create_credential', f'{_ADMIN} or {_SELF}', 'Create a credential.', ('POST /v3/credentials',)),
    ('update_credential', f'{_ADMIN} or {_SELF}', 'Change a credential.', ('PATCH /v3/credentials/{credential_id}',)),
    ('delete_credential', f'{_ADMIN} or {_SELF}', 'Delete a credential.', ('DELETE /v3/credentials/{credential_id}',)),
    ('ec2_list_credentials', f'{_SYSTEM_READER} or {_SELF}', 'List the EC2 keys of a user.',
     ('GET /v3/users/{user_id}/credentials/OS-EC2',)),
    ('ec2_get_credential', f'{_SYSTEM_READER} or {_SELF}', 'Show an EC2 key.',
     ('GET /v3/users/{user_id}/credentials/OS-EC2/{credential_id}',)),
    ('ec2_create_credential', f'{_ADMIN} or {_SELF}', 'Create an EC2 key.',
     ('POST /v3/users/{user_id}/credentials/OS-EC2',)),
    ('ec2_delete_credential', f'{_ADMIN} or {_SELF}', 'Delete an EC2 key.',
     ('DELETE /v3/users/{user_id}/credentials/OS-EC2/{credential_id}',)),
    ('ec2tokens_validate', f'{_ADMIN} or role:service', 'Get a token for a signed EC2 request.',
     ('POST /v3/ec2tokens',)),
    ('list_trusts', _ANYBODY, 'List trusts; there are none.', ('GET /v3/OS-TRUST/trusts',)),
    ('get_trust', _ANYBODY, 'Show a trust; there is none.', ('GET /v3/OS-TRUST/trusts/{trust_id}',)),
    ('validate_token', f'{_SYSTEM_READER} or role:service or {_SELF}', 'See what a token says.',
     ('GET /v3/auth/tokens',)),
    ('validate_expired_token', f'{_ADMIN} or role:service', 'See what a token said that has expired.',
     ('GET /v3/auth/tokens?allow_expired=1',)),
    ('revoke_token', f'{_ADMIN} or {_SELF}', 'Revoke a token.', ('DELETE /v3/auth/tokens',)),
    ('get_auth_catalog', _ANYBODY, 'See the catalog of one\'s own token.', ('GET /v3/auth/catalog',)),
    ('get_auth_projects', _ANYBODY, 'List the projects that one can get a token for.', ('GET /v3/auth/projects',)),
    ('get_auth_domains', _ANYBODY, 'List the domains that one can get a token for.', ('GET /v3/auth/domains',)),
    ('get_auth_system', _ANYBODY, 'Check whether one can get a token for the system.', ('GET /v3/auth/system',)),
)


def _rule(name: str, check: str, description: str, paths: tuple[str, ...]) -> policy.DocumentedRuleDefault:
    operations: Any = [{'method': path.split(' ')[0], 'path': path.split(' ')[1]} for path in paths]
    return policy.DocumentedRuleDefault(f'identity:{name}', check, description, operations)


RULES: tuple[policy.RuleDefault, ...] = (
    policy.RuleDefault('admin_required', 'role:admin', 'Who administers identity.'), *(_rule(*row) for row in _TABLE))
