"""List servers: the keys of the query, and the two forms of the list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compute.api.schema import REGEX, TIME
from compute.api.servers import show, view
from compute.api.servers.filters import HIDDEN, filter_of
from compute.db import instance_list
from compute.exception import Forbidden
from compute.policies import servers as policy
from compute.rest.call import Call
from compute.rest.fields import Since, fields
from compute.rest.op import Query
from compute.rest.paging import LIMIT, SORTED, next_links, page_of, sorting
from compute.rest.versions import window

_ANY: dict[str, Any] = {}
_TEXTS = (
    'all_tenants', 'block_device_mapping', 'deleted', 'host', 'image', 'image_ref', 'info_cache', 'launch_index',
    'marker', 'metadata', 'pci_devices', 'project_id', 'security_groups', 'services', 'soft_deleted', 'status',
    'system_metadata', 'task_state', 'tenant_id', 'user_id', 'uuid', 'vm_state')
# Filters whose value must be a regular expression that is not empty, also where it is compared as it stands and also
# where the caller may not filter by it.
_EXPRESSIONS = (
    'access_ip_v4', 'access_ip_v6', 'auto_disk_config', 'availability_zone', 'config_drive', 'created_at',
    'description', 'display_description', 'display_name', 'flavor', 'hostname', 'ip', 'ip6', 'kernel_id', 'key_name',
    'launched_at', 'name', 'node', 'power_state', 'progress', 'ramdisk_id', 'reservation_id', 'root_device_name',
    'terminated_at')
_TAGS = ('tags', 'tags-any', 'not-tags', 'not-tags-any')
_REPEATED = ('status', 'vm_state', 'flavor', 'image')
DEFAULT_SORT = ('created_at', 'desc')


def _listed(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {'type': 'array', 'items': schema} if name in _REPEATED else schema


QUERY = Query(fields({
    **{name: _listed(name, _ANY) for name in _TEXTS}, **{name: _listed(name, REGEX) for name in _EXPRESSIONS},
    **dict.fromkeys(_TAGS, Since('2.26', REGEX)), 'limit': LIMIT, 'changes-since': TIME,
    'changes-before': Since('2.66', TIME), 'locked': Since('2.73', _ANY),
    'locked_by': {'type': 'string', 'enum': ['admin', 'owner']},
    **sorting(instance_list.SORT_COLUMNS, {'locked': window('2.73')})},
    rules={'patternProperties': {'^_': _ANY}}), repeats=(*SORTED, *_REPEATED), strict=window('2.75'))

FACTS = {
    'locks': window('2.73'), 'known_statuses': window('2.38'),
    # From where on everybody may filter by what; the others are ignored unless policy allows all.
    'ip6': window('2.5'), 'tags': window('2.26'), 'changes_before': window('2.66'), 'times_and_states': window('2.83'),
    'hostname': window('2.90')}


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
    page = page_of(call, call.app.conf.api.max_limit, default_sort=DEFAULT_SORT)
    for key, _ in page.sort:
        if key in HIDDEN and not call.may(policy.ATTRIBUTES):
            raise Forbidden(f'Only administrators can sort servers by {key}')
    wanted = filter_of(call, rule_all)
    if wanted is None:
        return [], {}
    found = call.app.db.read(lambda connection: read(connection, wanted, page.limit, page.marker, page.sort))
    last = found[-1] if found else None
    marker = last[0].uuid if type(last) is tuple else last.uuid if last else None
    return found, next_links(call, 'servers', path, found, page, marker)
