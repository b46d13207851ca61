"""List servers: which filters there are, who may use them, and how their values are read."""

from __future__ import annotations

import datetime
from typing import Any

from oslo_utils import timeutils

from compute import states
from compute.api.schema import is_true
from compute.api.servers import show, view
from compute.db import instance_list, services
from compute.exception import Invalid
from compute.objects.instance import Instance
from compute.policies import servers as policy
from compute.rest.call import Call
from compute.rest.fields import Since, fields
from compute.rest.op import Query
from compute.rest.paging import LIMIT, next_links, page_of
from compute.rest.versions import Version, window

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
    'changes-before': Since('2.66', _ANY), 'locked': Since('2.73', _ANY)}),
    repeats=('sort_key', 'sort_dir', 'status', 'vm_state', 'flavor', 'image'), strict=window('2.75'))

# What everybody may filter by; the others are ignored unless policy allows all.
_EVERYBODY = {'reservation_id', 'name', 'status', 'image', 'flavor', 'ip', 'changes-since', 'all_tenants'}
_EVERYBODY_SINCE = (
    ('2.5', {'ip6'}), ('2.26', {'tags', 'tags-any', 'not-tags', 'not-tags-any'}), ('2.66', {'changes-before'}),
    ('2.73', {'locked'}), ('2.83', {'availability_zone', 'config_drive', 'key_name', 'created_at', 'launched_at',
                                    'terminated_at', 'power_state', 'task_state', 'vm_state', 'progress', 'user_id'}),
    ('2.90', {'hostname'}))
_RENAMED = {'tenant_id': 'project_id', 'image_ref': 'image', 'display_name': 'name',
            'display_description': 'description'}
_TIMES = ('created_at', 'launched_at', 'terminated_at')
_NUMBERS = ('power_state', 'progress', 'launch_index')
_IGNORED = {'limit', 'marker', 'sort_key', 'sort_dir', 'all_tenants', 'deleted', 'status', 'changes-since',
            'changes-before'}


def index(call: Call) -> Any:
    """List ids and names."""
    found, links = _page(call, '/servers', policy.INDEX_ALL)
    return {'servers': [view.brief(call, instance) for instance in found], **links}


def detail(call: Call) -> Any:
    """List everything that the caller may see."""
    found, links = _page(call, '/servers/detail', policy.DETAIL_ALL)
    sight = view.sight_of(call)
    status = _host_statuses(call, found) if sight.host_status or sight.unknown_only else {}
    return {'servers': [view.full(call, instance, sight, status.get(instance.host or '', ''))
                        for instance in found], **links}


def _page(call: Call, path: str, rule_all: str) -> tuple[list[Instance], dict[str, Any]]:
    page = page_of(call, call.app.conf.api.max_limit, sort_keys=frozenset(instance_list.SORT_COLUMNS))
    wanted = filter_of(call, rule_all)
    if wanted is None:
        return [], {}
    found = call.app.db.read(lambda connection: instance_list.page(
        connection, wanted, page.limit, page.marker, page.sort))
    return found, next_links(call, 'servers', path, found, page, found[-1].uuid if found else None)


def filter_of(call: Call, rule_all: str) -> instance_list.Filter | None:
    """Return what is asked for, as far as the caller may ask; None when nothing can match."""
    asked = _allowed(call)
    equal: dict[str, tuple[Any, ...]] = {}
    patterns = {name: str(asked.pop(name)) for name in ('name', 'ip', 'ip6') if name in asked}
    tags = {name: tuple(str(asked.pop(name)).split(',')) for name in ('tags', 'tags-any', 'not-tags', 'not-tags-any')
            if name in asked}
    for name, value in asked.items():
        if name in instance_list.EQUAL:
            equal[name] = _values(name, value)
    _scope(call, rule_all, equal)
    states_wanted = _status(call, asked)
    if states_wanted is not None and not states_wanted[0]:
        return None
    since, before = _time(call, 'changes-since'), _time(call, 'changes-before')
    if since and before and since > before:
        raise Invalid('The value of changes-since must be less than or equal to changes-before')
    return instance_list.Filter(
        deleted=_deleted(call, since is not None or before is not None), equal=equal, patterns=patterns,
        vm_and_task=states_wanted, changed_since=since, changed_before=before, tags=tags.get('tags', ()),
        tags_any=tags.get('tags-any', ()), not_tags=tags.get('not-tags', ()), not_tags_any=tags.get('not-tags-any', ()))


def _allowed(call: Call) -> dict[str, Any]:
    query = {_RENAMED.get(name, name): value for name, value in call.query.items()}
    if not call.may(policy.ALL_FILTERS):
        open_to_all = set(_EVERYBODY)
        for since, names in _EVERYBODY_SINCE:
            if call.version >= Version.of(since):
                open_to_all |= names
        query = {name: value for name, value in query.items() if name in open_to_all or name == 'status'}
    return {name: value for name, value in query.items() if name not in _IGNORED or name == 'status'}


def _scope(call: Call, rule_all: str, equal: dict[str, tuple[Any, ...]]) -> None:
    """Confine the list to the caller's project, unless all are asked for and may be."""
    text = call.query.get('all_tenants')
    if text is not None and text not in ('', '0', '1') and text.lower() not in (
            'true', 'false', 't', 'f', 'yes', 'no', 'on', 'off'):
        raise Invalid(f'all_tenants is {text!r}; it takes a boolean')
    everything = text is not None and (text == '' or is_true(text) or text.lower() == 't')
    if everything:
        call.demand(rule_all, {})
    else:
        if not (call.context.is_admin and 'project_id' in equal):
            equal['project_id'] = (call.context.project_id,)


def _values(name: str, value: Any) -> tuple[Any, ...]:
    values = value if isinstance(value, list) else [value]
    if name in ('locked', 'config_drive'):
        return tuple(is_true(each) or each == '' for each in values)
    if name in _NUMBERS:
        try:
            return tuple(int(each) for each in values)
        except ValueError:
            raise Invalid(f'Invalid input for query parameters {name}. Value: {value}. It takes a number') from None
    if name in _TIMES:
        return tuple(_parse_time(name, each) for each in values)
    return tuple(None if each in ('', 'None', 'null') and name == 'task_state' else each for each in values)


def _status(call: Call, asked: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...] | None] | None:
    """Return the states that the asked statuses mean. :raises Invalid: unknown, from 2.38."""
    words = call.query.get('status')
    if not words:
        return None
    vm_states: set[str] = set()
    tasks: set[str] | None = set()
    for word in words:
        vms, some = states.states_of_status(word)
        if not vms and call.version >= Version.of('2.38'):
            raise Invalid(f'Invalid status value: {word}')
        vm_states |= set(vms)
        tasks = None if some is None or tasks is None else tasks | set(some)
    return tuple(sorted(vm_states)), None if tasks is None else tuple(sorted(tasks))


def _deleted(call: Call, by_change: bool) -> bool | None:
    """Only administrators see deleted servers in a list; with changes-since everybody sees its own."""
    text = call.query.get('deleted')
    if call.context.is_admin and text is not None:
        return is_true(text) or text == ''
    return None if by_change else False


def _time(call: Call, name: str) -> datetime.datetime | None:
    text = call.query.get(name)
    return _parse_time(name, text) if text else None


def _parse_time(name: str, text: str) -> datetime.datetime:
    try:
        return timeutils.normalize_time(timeutils.parse_isotime(text))
    except ValueError:
        raise Invalid(f'Invalid input for query parameters {name}. Value: {text}. It takes an ISO 8601 time') from None


def _host_statuses(call: Call, found: list[Instance]) -> dict[str, str]:
    hosts = {instance.host for instance in found if instance.host}
    if not hosts:
        return {}
    known = {service.host: service for service in call.app.db.read(
        lambda connection: services.page(connection, binary='nova-compute'))}
    down_after = call.app.conf.conductor.service_down_time
    return {host: show.status_of(known.get(host), down_after) for host in hosts}
