"""The whole Identity API on one screen."""

from __future__ import annotations

from compute.builtin.identity.resources.application_credentials import APPLICATION_CREDENTIALS
from compute.builtin.identity.resources.assignments import ROLE_ASSIGNMENTS
from compute.builtin.identity.resources.credentials import CREDENTIALS
from compute.builtin.identity.resources.domains import DOMAINS
from compute.builtin.identity.resources.ec2 import EC2_KEYS
from compute.builtin.identity.resources.endpoints import ENDPOINTS
from compute.builtin.identity.resources.grants import GRANTS, INHERITED_GRANTS
from compute.builtin.identity.resources.groups import GROUPS
from compute.builtin.identity.resources.project_tags import PROJECT_TAGS
from compute.builtin.identity.resources.projects import PROJECTS
from compute.builtin.identity.resources.regions import REGIONS
from compute.builtin.identity.resources.roles import ROLES
from compute.builtin.identity.resources.services import SERVICES
from compute.builtin.identity.resources.tokens import TOKENS
from compute.builtin.identity.resources.trusts import TRUSTS
from compute.builtin.identity.resources.users import USERS
from compute.builtin.identity.resources.versions import ROOT, VERSION

RESOURCES = (VERSION, TOKENS, DOMAINS, PROJECTS, PROJECT_TAGS, USERS, GROUPS, ROLES, GRANTS, INHERITED_GRANTS,
             ROLE_ASSIGNMENTS, SERVICES, ENDPOINTS, REGIONS, APPLICATION_CREDENTIALS, CREDENTIALS, EC2_KEYS, TRUSTS)
__all__ = ['RESOURCES', 'ROOT']
