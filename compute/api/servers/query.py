"""List servers: the keys of the query, and the two forms of the list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compute.api.servers import show, view
from compute.api.servers.filters import filter_of
from compute.db import instance_list
from compute.exception import Forbidden
from compute.policies import servers as policy
from compute.rest.call import Call
from compute.rest.fields import Since, fields
from compute.rest.op import Query
from compute.rest.paging import LIMIT, next_links, page_of
from compute.rest.versions import window

_ANY: dict[str, Any] = {}
_NAMES = (
    'access_ip_v4', 'access_ip_v6', 'all_tenants', 'auto_disk_config', 'availability_zone', 'block_device_mapping',
    'changes-since', 'config_drive', 'created_at', 'deleted', 'description', 'display_description', 'display_name',
    'flavor', 'host', 'hostname', 'image', 'image_ref', 'info_cache', 'ip', 'ip6', 'kernel_id', 'key_name',
    'launch_index', 'launched_at', 'locked_by', 'marker', 'metadata', 'name', 'node', 'pci_devices', 'power_state',
    'progress', 'project_id', 'ramdisk_id', 'reservation_id', 'root_device_name', 'security_groups', 'services',
    'soft_deleted', 'sort_dir', 'sort_key', 'status', 'system_metadata', 'task_state', 'tenant_id', 'terminated_at',
    'user_id', 'uuid', 'vm_state')
QUERY = Query(fields({
    **dict.fromkeys(_NAMES, _ANY), 'limit': LIMIT,
    **dict.fromkeys(('tags', 'tags-any', 'not-tags', 'not-tags-any'), Since('2.26', _ANY)),
    'changes-before': Since('2.66', _ANY), 'locked': Since('2.73', _ANY)}, rules={'patternProperties': {'^_': _ANY}}),
    repeats=('sort_key', 'sort_dir', 'status', 'vm_state', 'flavor', 'image'), strict=window('2.75'))

FACTS = {
    'locks': window('2.73'), 'known_statuses': window('2.38'),
    # From where on everybody may filter by what; the others are ignored unless policy allows all.
    'ip6': window('2.5'), 'tags': window('2.26'), 'changes_before': window('2.66'), 'times_and_states': window('2.83'),
    'hostname': window('2.90')}
_FOR_ADMINS = ('host', 'node')


def index(call: Call) -> Any:
    """List ids and names."""
    found, links = _page(call, '/servers', policy.INDEX_ALL, instance_list.briefs)
    return {'servers': [view.brief(call, instance) for instance in found], **links}


def detail(call: Call) -> Any:
    """List everything that the caller may see."""
    if not view.sees_hosts(call):
        found, links = _page(call, '/servers/detail', policy.DETAIL_ALL, instance_list.page)
        sight = view.sight_of(call, found)
        return {'servers': [view.full(call, instance, sight) for instance in found], **links}
    pairs, links = _page(call, '/servers/detail', policy.DETAIL_ALL, instance_list.page_with_hosts)
    sight = view.sight_of(call, [instance for instance, _ in pairs])
    down_after = call.app.conf.conductor.service_down_time
    return {'servers': [view.full(call, instance, sight, show.status_of(service, down_after) if instance.host else '')
                        for instance, service in pairs], **links}


def _page(call: Call, path: str, rule_all: str, read: Callable[..., list[Any]]) -> tuple[list[Any], dict[str, Any]]:
    keys = set(instance_list.SORT_COLUMNS) - (set() if call.facts['locks'] else {'locked'})
    page = page_of(call, call.app.conf.api.max_limit, sort_keys=frozenset(keys))
    for key, _ in page.sort:
        if key in _FOR_ADMINS and not call.context.is_admin:
            raise Forbidden(f'Only administrators can sort servers by {key}')
    wanted = filter_of(call, rule_all)
    if wanted is None:
        return [], {}
    found = call.app.db.read(lambda connection: read(connection, wanted, page.limit, page.marker, page.sort))
    last = found[-1] if found else None
    marker = last[0].uuid if type(last) is tuple else last.uuid if last else None
    return found, next_links(call, 'servers', path, found, page, marker)
