"""Every operation on servers that is served now, on one screen."""

from __future__ import annotations

from compute.api.servers import create, delete, fields, query, show, update
from compute.api.servers.actions import ACTIONS
from compute.api.servers.load import load
from compute.policies import create as create_policy
from compute.policies import delete as delete_policy
from compute.policies import servers as policy
from compute.rest.op import Op, Resource

RESOURCE = Resource('servers', actions='/servers/{id}/action', ops=(
    Op('GET', '/servers', query.index, policy=policy.INDEX, query=query.QUERY, facts=query.FACTS),
    Op('GET', '/servers/detail', query.detail, policy=policy.DETAIL, query=query.QUERY, view=fields.DETAILED,
       facts=query.FACTS),
    Op('POST', '/servers', create.create, policy=create_policy.CREATE, body=fields.CREATE, status=202,
       facts=create.FACTS, again=create.again, in_project=True),
    Op('GET', '/servers/{id}', show.show, policy=policy.SHOW, loads=load, view=fields.SHOWN),
    Op('PUT', '/servers/{id}', update.update, policy=policy.UPDATE, loads=load, body=fields.UPDATE,
       view=fields.UPDATED),
    Op('DELETE', '/servers/{id}', delete.delete, policy=delete_policy.DELETE, loads=load, status=204),
    *ACTIONS,
))
