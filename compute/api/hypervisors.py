"""Hypervisor hosts: what they have, what is used of it, whether they are up, and which servers they hold.

To 2.52 a hypervisor is named by a number and searched for under a URL of its own; from 2.53 it has a uuid.
"""

from __future__ import annotations

import re
import uuid as uuids
from typing import Any

from compute.api.changes import hypervisors as changes
from compute.api.schema import BOOLEAN, HOST, STRING, is_true
from compute.db import hosts, instances
from compute.exception import Invalid, NotFound, Unsupported
from compute.objects.host import Host
from compute.objects.value import now
from compute.policies import hypervisors as policy
from compute.rest.call import Call
from compute.rest.fields import Since, Until, fields
from compute.rest.op import Op, Query, Resource, View
from compute.rest.paging import LIMIT, next_links, page_of
from compute.rest.versions import window

_USE = ('vcpus', 'vcpus_used', 'memory_mb', 'memory_mb_used', 'local_gb', 'local_gb_used', 'free_ram_mb',
        'free_disk_gb', 'disk_available_least', 'current_workload', 'running_vms')
_NUMBER = {'type': 'integer'}
_TABLE = fields({**{name: Until('2.88', _NUMBER) for name in _USE}, 'cpu_info': Until('2.88', {}),
                 'uptime': Since('2.88', STRING)})
_LISTED = Query(fields(limit=Since('2.33', LIMIT), marker=Since('2.33', STRING),
                       hypervisor_hostname_pattern=Since('2.53', HOST),
                       with_servers=Since('2.53', BOOLEAN)), strict=window('2.53'))
_SHOWN = Query(fields(with_servers=Since('2.53', BOOLEAN)), strict=window('2.53'))
_FACTS = {'numbered': window(until='2.53'), 'pages': window('2.33')}


def brief(call: Call, host: Host) -> dict[str, Any]:
    """Return what the plain list shows."""
    up = _is_up(call, host)
    return {'id': host.id if call.facts['numbered'] else host.uuid, 'hypervisor_hostname': host.node,
            'state': 'up' if up else 'down', 'status': 'disabled' if host.service_disabled else 'enabled'}


def full(call: Call, host: Host, busy: dict[str, int]) -> dict[str, Any]:
    """Return all of a hypervisor, with what older versions had. ``busy``: operations that go on, by host."""
    service = host.service_id if call.facts['numbered'] else host.service_uuid
    return {**brief(call, host), **usage(host, busy), 'hypervisor_type': host.hypervisor_type,
            'hypervisor_version': host.hypervisor_version, 'host_ip': host.host_ip, 'cpu_info': host.cpu_info,
            'uptime': host.uptime or None,
            'service': {'id': service, 'host': host.host, 'disabled_reason': host.disabled_reason}}


def usage(host: Host, busy: dict[str, int]) -> dict[str, int]:
    """Return what a hypervisor has and what is used; free may be negative where ratios allow more than there is."""
    memory_used = host.memory_mb_used + host.reserved_memory_mb
    disk_used = host.disk_gb_used + host.reserved_disk_gb
    return {'vcpus': host.vcpus, 'vcpus_used': host.vcpus_used, 'memory_mb': host.memory_mb,
            'memory_mb_used': memory_used, 'local_gb': host.disk_gb, 'local_gb_used': disk_used,
            'free_ram_mb': host.memory_mb - memory_used, 'free_disk_gb': host.disk_gb - disk_used,
            'disk_available_least': host.free_disk_gb, 'current_workload': busy.get(host.host, 0),
            'running_vms': host.running_vms}


def _is_up(call: Call, host: Host) -> bool:
    if host.forced_down or host.last_seen_at is None:
        return False
    age = (now() - host.last_seen_at).total_seconds()
    return age <= float(call.app.conf.conductor.service_down_time)


def index(call: Call) -> Any:
    """List hypervisors."""
    found, links = _page(call, '/os-hypervisors')
    return {'hypervisors': [_with_servers(call, brief(call, host), host) for host in found], **links}


def detail(call: Call) -> Any:
    """List hypervisors with everything."""
    found, links = _page(call, '/os-hypervisors/detail')
    busy = call.app.db.read(hosts.io_ops)
    return {'hypervisors': [_with_servers(call, full(call, host, busy), host) for host in found], **links}


def show(call: Call) -> Any:
    """Show one hypervisor."""
    host = _load(call)
    busy = call.app.db.read(hosts.io_ops)
    return {'hypervisor': _with_servers(call, full(call, host, busy), host)}


def uptime(call: Call) -> Any:
    """Show how long a hypervisor has been up, as the host itself puts it."""
    host = _load(call)
    if not _is_up(call, host):
        raise Invalid(f'Service on host {host.host} is down: its uptime is not known')
    if not host.uptime:
        raise Unsupported(f'The driver of host {host.host} does not tell the uptime')
    return {'hypervisor': {**brief(call, host), 'uptime': host.uptime}}


def search(call: Call) -> Any:
    """Find hypervisors by a part of their name."""
    return {'hypervisors': [brief(call, host) for host in _matching(call, call.path['id'])]}


def servers(call: Call) -> Any:
    """Find hypervisors by a part of their name and list their servers; one without servers has no such key."""
    return {'hypervisors': [{**brief(call, host), **({'servers': found} if (found := _servers(call, host)) else {})}
                            for host in _matching(call, call.path['id'])]}


def statistics(call: Call) -> Any:
    """Add up all hypervisors whose worker is enabled."""
    busy = call.app.db.read(hosts.io_ops)
    found = [usage(host, busy) for host in call.app.db.read(hosts.all_hosts) if not host.service_disabled]
    return {'hypervisor_statistics': {'count': len(found), **{name: sum(one[name] for one in found) for name in _USE}}}


def _page(call: Call, path: str) -> tuple[list[Host], dict[str, Any]]:
    pattern = call.query.get('hypervisor_hostname_pattern')
    if pattern is not None:
        if 'limit' in call.query or 'marker' in call.query:
            raise Invalid('Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not '
                          'supported.')
        return _matching(call, pattern), {}
    page = page_of(call, call.app.conf.api.max_limit)
    limit = page.limit if call.facts['pages'] else None
    found = call.app.db.read(lambda connection: hosts.page(connection, limit=limit, marker=page.marker))
    if not found or not call.facts['pages']:
        return found, {}
    marker = str(found[-1].id if call.facts['numbered'] else found[-1].uuid)
    return found, next_links(call, 'hypervisors', path, found, page, marker)


def _matching(call: Call, pattern: str) -> list[Host]:
    found: list[Host] = call.app.db.read(lambda connection: hosts.page(connection, pattern=pattern))
    if not found:
        raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return found


def _load(call: Call) -> Host:
    text = call.path['id']
    if call.facts['numbered']:
        if not re.fullmatch('[0-9]{1,18}', text):
            raise NotFound(f"Hypervisor with ID '{text}' could not be found.")
        return _get(call, int(text), text)
    try:
        return _get(call, str(uuids.UUID(text)), text)
    except ValueError:
        raise Invalid(f'Invalid uuid {text}') from None


def _get(call: Call, key: int | str, text: str) -> Host:
    try:
        return call.app.db.read(lambda connection: hosts.get(connection, key))
    except NotFound:
        raise NotFound(f"Hypervisor with ID '{text}' could not be found.") from None


def _with_servers(call: Call, shown: dict[str, Any], host: Host) -> dict[str, Any]:
    if not is_true(call.query.get('with_servers', False)):
        return shown
    return {**shown, 'servers': _servers(call, host)}


def _servers(call: Call, host: Host) -> list[dict[str, str]]:
    found = call.app.db.read(lambda connection: instances.of_host(connection, host.host))
    return [{'uuid': instance.uuid, 'name': instance.guest_name} for instance in found]


_MANY = View('hypervisors', _TABLE, many=True, changes=changes.CHANGES)
_ALL, _ONE = '/os-hypervisors', '/os-hypervisors/{id}'

RESOURCE = Resource('os-hypervisors', (
    Op('GET', _ALL, index, query=_LISTED, view=_MANY, policy=policy.LIST, facts=_FACTS),
    Op('GET', f'{_ALL}/detail', detail, query=_LISTED, view=_MANY, policy=policy.DETAIL, facts=_FACTS),
    Op('GET', f'{_ALL}/statistics', statistics, policy=policy.STATISTICS, until='2.88'),
    Op('GET', _ONE, show, query=_SHOWN, policy=policy.SHOW, facts=_FACTS,
       view=View('hypervisor', _TABLE, changes=changes.CHANGES)),
    Op('GET', f'{_ONE}/search', search, policy=policy.SEARCH, facts=_FACTS, until='2.53'),
    Op('GET', f'{_ONE}/servers', servers, policy=policy.SERVERS, facts=_FACTS, until='2.53'),
    Op('GET', f'{_ONE}/uptime', uptime, policy=policy.UPTIME, facts=_FACTS, until='2.88'),
))
