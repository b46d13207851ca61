"""Set quotas.

A limit below what is used, a user's above the project's, or a project's below that of one of its users is refused
unless it is forced.
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute.control.cloud import Cloud
from compute.db import quotas
from compute.exception import Invalid


def update(cloud: Cloud, project_id: str, wanted: dict[str, int], *, user_id: str | None = None, force: bool = False
           ) -> dict[str, int]:
    """Set limits of a project, or of a user in it, and return all that hold then. :raises Invalid: names the limit."""
    def write(connection: Connection) -> dict[str, int]:
        quotas.lock_project(connection, project_id)  # a limit of a user is set before or after the project's
        if not force:
            _check_use(wanted, quotas.usage_of(connection, project_id))
            if user_id is None:
                _check_users(wanted, quotas.highest_of_users(connection, project_id))
            else:
                _check_project(wanted, quotas.limits_of(connection, cloud.conf, project_id))
        for resource, limit in wanted.items():
            quotas.set_limit(connection, project_id, resource, limit, user_id)
        return quotas.limits_of(connection, cloud.conf, project_id, user_id)
    return cloud.db.transaction(write)


def _check_use(wanted: dict[str, int], used: dict[str, int]) -> None:
    for resource, limit in wanted.items():
        if limit != quotas.UNLIMITED and limit < used.get(resource, 0):
            raise Invalid(f'Quota limit {limit} for {resource} must be greater than or equal to already used and '
                          f'reserved {used[resource]}.', code='quota_below_use')


def _check_project(wanted: dict[str, int], project: dict[str, int]) -> None:
    for resource, limit in wanted.items():
        most = project.get(resource, quotas.UNLIMITED)
        if most != quotas.UNLIMITED and (limit == quotas.UNLIMITED or limit > most):
            raise Invalid(f'Quota limit {limit} for {resource} must be less than or equal to {most}.',
                          code='quota_above_project')


def _check_users(wanted: dict[str, int], highest: dict[str, int]) -> None:
    for resource, limit in wanted.items():
        least = highest.get(resource)
        if least is None or limit == quotas.UNLIMITED or quotas.UNLIMITED != least <= limit:
            continue
        least_text = 'unlimited' if least == quotas.UNLIMITED else str(least)
        raise Invalid(f'Quota limit {limit} for {resource} must be greater than or equal to {least_text}, the limit of '
                      'a user in the project.', code='quota_below_user')
