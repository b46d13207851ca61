"""Agents: the parts of the built-in network on the hosts, as their heartbeats tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compute.builtin.network.api.schema import BOOL, TEXT
from compute.builtin.network.control import agents, binding
from compute.builtin.network.db.booleans import truth
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Body, Op, Query, Resource

_FILTERS = ('id', 'host', 'agent_type', 'binary', 'topic', 'alive', 'admin_state_up', 'availability_zone',
            'description')
_QUERY = Query(fields(extra=True), repeats=('fields', *_FILTERS))
UPDATE = Body('agent', fields({'admin_state_up': BOOL, 'description': TEXT}))


def view(call: Call, agent: Mapping[str, Any]) -> dict[str, Any]:
    """Return an agent as the API shows it."""
    item = {
        'id': agent['id'], 'agent_type': agents.TYPE, 'binary': agents.BINARY, 'topic': agents.TOPIC,
        'host': agent['host'], 'admin_state_up': agent['admin_state_up'], 'description': agent['description'],
        'alive': binding.is_alive(agent['heartbeat_at'], call.app.options.agent_down_time),
        'availability_zone': call.app.options.availability_zone, 'configurations': agent['configurations'],
        'created_at': _time(agent['created_at']), 'started_at': _time(agent['started_at']),
        'heartbeat_timestamp': _time(agent['heartbeat_at']), 'resources_synced': None}
    shown = call.query.get('fields')
    return {name: item[name] for name in shown if name in item} if shown else item


def list_(call: Call) -> dict[str, Any]:
    """List agents; the list is empty without permission to see them."""
    if not call.may('get_agent', {}):
        return {'agents': []}
    wanted = {name: call.query[name] for name in _FILTERS if name in call.query}
    shown = call.query.pop('fields', None)
    found = [item for item in (view(call, agent) for agent in call.app.look(agents.every))
             if all(_fits(item[name], name, values) for name, values in wanted.items())]
    if shown:
        found = [{name: item[name] for name in shown if name in item} for item in found]
    return {'agents': found}


def show(call: Call) -> dict[str, Any]:
    """Show one."""
    return {'agent': view(call, call.target)}


def update(call: Call) -> dict[str, Any]:
    """Enable, disable or describe one."""
    values = dict(call.body)
    if 'admin_state_up' in values and not isinstance(values['admin_state_up'], bool):
        values['admin_state_up'] = truth('admin_state_up', values['admin_state_up'])
    agent = call.app.do(lambda work: agents.update(work, call.target['id'], values)) if values else call.target
    return {'agent': view(call, agent)}


def delete(call: Call) -> None:
    """Forget one that is dead."""
    call.app.do(lambda work: agents.delete(work, call.target['id']))


def _load(call: Call) -> Any:
    if not call.may('get_agent', {}):
        raise agents.missing(call.path['id'])
    return call.app.look(lambda work: agents.get(work, call.path['id']))


def _fits(value: Any, name: str, wanted: list[str]) -> bool:
    return any(value == (truth(name, text) if isinstance(value, bool) else text) for text in wanted)


def _time(moment: Any) -> str:
    return str(moment.strftime('%Y-%m-%d %H:%M:%S'))


RESOURCE = Resource('agents', (
    Op('GET', '/agents', list_, 'get_agents', query=_QUERY),
    Op('GET', '/agents/{id}', show, 'get_agent', query=_QUERY, loads=_load),
    Op('PUT', '/agents/{id}', update, 'update_agent', body=UPDATE, loads=_load),
    Op('DELETE', '/agents/{id}', delete, 'delete_agent', 204, loads=_load)))
