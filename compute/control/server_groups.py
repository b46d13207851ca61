"""Making a server group: the project's limit is looked at under the lock that every maker of one takes."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.db import quotas, server_group_list, server_groups
from compute.exception import OverQuota
from compute.objects.server_group import ServerGroupRecord


def create(cloud: Cloud, context: RequestContext, name: str, policy: str, rules: dict[str, int]) -> ServerGroupRecord:
    """Add a group to the caller's project and return it. :raises OverQuota: the project has as many as it may."""
    project, user = context.project_id or '', context.user_id or ''
    def write(connection: Connection) -> ServerGroupRecord:
        quotas.lock_project(connection, project)
        limit = quotas.limits_of(connection, cloud.conf, project, user, binding=True)['server_groups']
        if limit != quotas.UNLIMITED and server_group_list.count(connection, project) >= limit:
            raise OverQuota('Quota exceeded, too many server groups.')
        uuid = server_groups.insert(connection, project_id=project, user_id=user, name=name, policy=policy, rules=rules)
        return server_group_list.get(connection, uuid)
    return cloud.db.transaction(write)
