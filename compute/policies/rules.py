"""Base rules of the Compute API, and how an operation's rule is written. Names are Nova's: policy files carry over."""

from __future__ import annotations

from typing import Any

from oslo_policy import policy

ADMIN = 'rule:context_is_admin'
MANAGER = 'rule:project_manager_or_admin'
MEMBER = 'rule:project_member_or_admin'
READER = 'rule:project_reader_or_admin'
SERVICE = 'rule:service_or_admin'
USER = '(rule:context_is_admin) or user_id:%(user_id)s'
ANY = '@'
NEVER = '!'
ACTION = 'POST /servers/{id}/action '


def rule(name: str, check: str, description: str, *operations: str) -> policy.DocumentedRuleDefault:
    """Return the rule of one or more operations, each written as ``GET /flavors``."""
    documented: Any = []
    for operation in operations:
        method, _, path = operation.partition(' ')
        documented.append({'method': method, 'path': path})
    return policy.DocumentedRuleDefault(name, check, description, documented, scope_types=['project'])


def _base(name: str, check: str, description: str) -> policy.RuleDefault:
    return policy.RuleDefault(name, check, description)


RULES = (
    _base('context_is_admin', 'role:admin', 'Who counts as an administrator.'),
    _base('admin_or_owner', 'is_admin:True or project_id:%(project_id)s',
          'Administrators and whoever is in the project; for rules of older policy files.'),
    _base('admin_api', 'is_admin:True', 'Administrators; for rules of older policy files.'),
    _base('project_manager_api', 'role:manager and project_id:%(project_id)s', 'Managers, in their project.'),
    _base('project_member_api', 'role:member and project_id:%(project_id)s', 'Members, in their project.'),
    _base('project_reader_api', 'role:reader and project_id:%(project_id)s', 'Readers, in their project.'),
    _base('service_api', 'role:service', 'Other services of the cloud.'),
    _base('project_manager_or_admin', 'rule:project_manager_api or rule:context_is_admin',
          'Managers of the project, and administrators.'),
    _base('project_member_or_admin', 'rule:project_member_api or rule:context_is_admin',
          'Members of the project, and administrators.'),
    _base('project_reader_or_admin', 'rule:project_reader_api or rule:context_is_admin',
          'Readers of the project, and administrators.'),
    _base('service_or_admin', 'rule:service_api or rule:context_is_admin',
          'Other services of the cloud, and administrators.'),
)
