"""Limits of a project and what is used of them."""

from __future__ import annotations

from typing import Any

from compute.api.schema import STRING
from compute.db import quotas
from compute.policies import limits as policy
from compute.rest.call import Call
from compute.rest.fields import Until, fields
from compute.rest.op import Op, Query, Resource, View
from compute.rest.versions import window

_NUMBER = {'type': 'integer'}
_ABSOLUTE = fields(
    maxTotalFloatingIps=Until('2.36', _NUMBER), maxSecurityGroups=Until('2.36', _NUMBER),
    maxSecurityGroupRules=Until('2.36', _NUMBER), totalFloatingIpsUsed=Until('2.36', _NUMBER),
    totalSecurityGroupsUsed=Until('2.36', _NUMBER), maxImageMeta=Until('2.39', _NUMBER),
    maxPersonality=Until('2.57', _NUMBER), maxPersonalitySize=Until('2.57', _NUMBER))

# What is shown, by the name of the quota.
_MAXIMA = {
    'maxServerMeta': 'metadata_items', 'maxImageMeta': 'metadata_items', 'maxPersonality': 'injected_files',
    'maxPersonalitySize': 'injected_file_content_bytes', 'maxTotalInstances': 'instances', 'maxTotalCores': 'cores',
    'maxTotalRAMSize': 'ram', 'maxTotalKeypairs': 'key_pairs', 'maxServerGroups': 'server_groups',
    'maxServerGroupMembers': 'server_group_members'}
_USED = {'totalInstancesUsed': 'instances', 'totalCoresUsed': 'cores', 'totalRAMUsed': 'ram',
         'totalServerGroupsUsed': 'server_groups'}
# The network service keeps these; here they never limited anything since it does.
_NETWORK = {'maxTotalFloatingIps': -1, 'maxSecurityGroups': -1, 'maxSecurityGroupRules': -1,
            'totalFloatingIpsUsed': 0, 'totalSecurityGroupsUsed': 0}


def show(call: Call) -> Any:
    """Show the limits of the own project, or of another where policy allows."""
    project = call.query.get('tenant_id') or call.context.project_id or ''
    if project != call.context.project_id:
        call.demand(policy.OTHER, {'project_id': project})
    def read(connection: Any) -> tuple[dict[str, int], dict[str, int]]:
        return quotas.limits_of(connection, call.app.conf, project), quotas.usage_of(connection, project)
    limits, used = call.app.db.read(read)
    absolute = {**{shown: limits[name] for shown, name in _MAXIMA.items()},
                **{shown: used[name] for shown, name in _USED.items()}, **_NETWORK}
    return {'limits': {'rate': [], 'absolute': absolute}}


RESOURCE = Resource('limits', (
    Op('GET', '/limits', show, policy=policy.OWN, view=View('limits', fields(absolute=_ABSOLUTE)),
       query=Query(fields(tenant_id=STRING), strict=window('2.75'))),
))
