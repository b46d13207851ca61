"""From the query of a list of servers to what the store is asked: who may filter by what, and how values are read."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from typing import Any

from oslo_utils import timeutils

from compute import states
from compute.api.schema import UUID, canonical_address, is_true
from compute.db import instance_list
from compute.exception import Forbidden, Invalid
from compute.policies import servers as policy
from compute.rest.call import Call

_EVERYBODY = frozenset({'reservation_id', 'name', 'status', 'image', 'flavor', 'ip', 'changes-since', 'all_tenants'})
# What everybody may filter by besides, by the fact that says so.
_OPENED = {
    'ip6': {'ip6'}, 'tags': {'tags', 'tags-any', 'not-tags', 'not-tags-any'}, 'changes_before': {'changes-before'},
    'locks': {'locked'}, 'hostname': {'hostname'},
    'times_and_states': {
        'availability_zone', 'config_drive', 'key_name', 'created_at', 'launched_at', 'terminated_at', 'power_state',
        'task_state', 'vm_state', 'progress', 'user_id'}}
HIDDEN = frozenset({'host', 'node'})
"""Filters and sort keys whose values are shown only where policy shows the attributes of hypervisors."""
_RENAMED = {'tenant_id': 'project_id', 'image_ref': 'image', 'display_name': 'name',
            'display_description': 'description'}
_BOOLEANS = ('0', '1', 'true', 'false', 't', 'f', 'yes', 'no', 'y', 'n', 'on', 'off')
_TAGS = {'tags': 'tags', 'tags-any': 'tags_any', 'not-tags': 'not_tags', 'not-tags-any': 'not_tags_any'}
_PATTERNS = (*instance_list.SEARCHED, 'ip', 'ip6')
# Parts of a server of which this cloud stores nothing: no value of theirs is found.
_NOWHERE = frozenset({'block_device_mapping', 'info_cache', 'pci_devices', 'services', 'system_metadata'})


def filter_of(call: Call, rule_all: str) -> instance_list.Filter | None:
    """Return what is asked for, as far as the caller may ask; None when nothing can match."""
    asked = _allowed(call)
    equal = {name: _values(name, value) for name, value in asked.items() if name in instance_list.EQUAL}
    inside = {name: _inside(name, value) for name, value in asked.items() if name in instance_list.INSIDE}
    _scope(call, rule_all, equal)
    states_wanted = _status(call, asked.get('status'))
    since, before = _time(asked, 'changes-since'), _time(asked, 'changes-before')
    if since and before and since > before:
        raise Invalid('The value of changes-since must be less than or equal to changes-before')
    wanted = instance_list.Filter(
        deleted=_deleted(call, states_wanted, since is not None or before is not None), equal=equal,
        inside=inside, vm_and_task=states_wanted, changed_since=since, changed_before=before,
        metadata=_metadata(asked),
        patterns={name: _pattern(name, asked[name]) for name in _PATTERNS if name in asked},
        **{field: tuple(str(asked[name]).split(',')) for name, field in _TAGS.items() if asked.get(name)})
    hopeless = _fits_nothing(asked) or (states_wanted is not None and not states_wanted[0])
    return wanted if all(equal.values()) and not hopeless else None


def _allowed(call: Call) -> dict[str, Any]:
    query = {_RENAMED.get(name, name): value for name, value in call.query.items()}
    if call.may(policy.ALL_FILTERS):
        unseen = frozenset() if call.may(policy.ATTRIBUTES) else HIDDEN
        return {name: value for name, value in query.items() if name not in unseen}
    names = _EVERYBODY.union(*(names for fact, names in _OPENED.items() if call.facts[fact]))
    return {name: value for name, value in query.items() if name in names}


def _scope(call: Call, rule_all: str, equal: dict[str, tuple[Any, ...]]) -> None:
    """Confine the list to the caller's project, whichever it filters by, unless all are asked for and may be."""
    text = call.query.get('all_tenants')
    everything = text is not None and (text == '' or _boolean('all_tenants', text))
    if everything:
        call.demand(rule_all)
    else:
        equal['project_id'] = (call.context.project_id or '',)


def _fits_nothing(asked: dict[str, Any]) -> bool:
    """Return whether a filter fits no server of this cloud, which has no soft-deleted ones either."""
    soft = asked.get('soft_deleted')
    return (soft is not None and _boolean('soft_deleted', soft)) or not _NOWHERE.isdisjoint(asked)


def _inside(name: str, text: str) -> tuple[str, ...]:
    """Return the value to compare with. :raises Invalid: it names a security group by other than its id."""
    if name == 'auto_disk_config' and text.lower() in _BOOLEANS:
        return ('AUTO' if _boolean(name, text) else 'MANUAL',)
    if name == 'security_groups' and not re.fullmatch(UUID['pattern'], text):
        raise Invalid(f'Invalid input for query parameters {name}. Value: {text}. It takes the id of a security group')
    return (text.upper() if name == 'auto_disk_config' else text,)


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise Invalid(f'Invalid input for query parameters {name}. Value: {text}. It takes a boolean')
    return is_true(text) or text.lower() in ('t', 'y')


def _values(name: str, value: Any) -> tuple[Any, ...]:
    """Return the values to compare with; none where the text is no value that a column of this type can have."""
    values = value if isinstance(value, list) else [value]
    if name == 'locked':
        return tuple(_boolean(name, each) for each in values)
    if name in ('access_ip_v4', 'access_ip_v6'):  # rows of earlier releases have it as it was typed
        return tuple(dict.fromkeys((*map(canonical_address, values), *values)))
    if name in _TYPED:
        return tuple(found for each in values if (found := _TYPED[name](each)) is not None)
    return tuple(None if each in ('', 'None', 'null') and name == 'task_state' else each for each in values)


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch('[0-9]{1,9}', text) else None


def _switch(text: str) -> bool | None:
    return _boolean('config_drive', text) if text.lower() in _BOOLEANS else None


def _moment(text: str) -> datetime.datetime | None:
    try:
        return parse_time('', text)
    except Invalid:
        return None


_TYPED: dict[str, Callable[[str], Any]] = {
    'config_drive': _switch, **dict.fromkeys(('power_state', 'progress', 'launch_index'), _number),
    **dict.fromkeys(('created_at', 'launched_at', 'terminated_at'), _moment)}


def _pattern(name: str, text: str) -> str:
    """Return what to search for: addresses are stored in their canonical form, so a whole one is searched for in it."""
    return canonical_address(text) if name in ('ip', 'ip6') else text


def _metadata(asked: dict[str, Any]) -> dict[str, str]:
    """Return the items of metadata that servers must have: a JSON object, or a list of them."""
    text = asked.get('metadata')
    if not text:
        return {}
    try:
        found = json.loads(text)
        return {str(key): str(value) for part in (found if isinstance(found, list) else [found])
                for key, value in part.items()}
    except (ValueError, AttributeError):
        raise Invalid(f'Invalid input for query parameters metadata. Value: {text}. It takes a JSON object') from None


def _status(call: Call, words: list[str] | None) -> tuple[tuple[str, ...], tuple[str, ...] | None] | None:
    """Return the states that the asked statuses mean. :raises Invalid: unknown, from 2.38."""
    if not words:
        return None
    vm_states: set[str] = set()
    tasks: set[str] | None = set()
    for word in words:
        vms, some = states.states_of_status(word)
        if not vms:
            if call.facts['known_statuses']:
                raise Invalid(f'Invalid status value: {word}')
            continue
        vm_states |= set(vms)
        tasks = None if some is None or tasks is None else tasks | set(some)
    return tuple(sorted(vm_states)), None if tasks is None else tuple(sorted(tasks))


def _deleted(call: Call, wanted: Any, by_change: bool) -> bool | None:
    """Only administrators see deleted servers in a list; with changes-since everybody sees its own.

    :raises Forbidden: somebody else asks for those of status DELETED.
    """
    if wanted is not None and states.DELETED in wanted[0]:
        if not call.context.is_admin:
            raise Forbidden('Only administrators may list deleted instances')
        return True if wanted[0] == (states.DELETED,) else None
    text = call.query.get('deleted')
    if call.context.is_admin and text is not None:
        return text.lower() in _BOOLEANS and _boolean('deleted', text)
    return None if by_change else False


def _time(asked: dict[str, Any], name: str) -> datetime.datetime | None:
    text = asked.get(name)
    return None if text is None else parse_time(name, text)


def parse_time(name: str, text: str) -> datetime.datetime:
    """Read an ISO 8601 time as UTC. :raises Invalid:"""
    try:
        return timeutils.normalize_time(timeutils.parse_isotime(text))
    except (ValueError, OverflowError):
        raise Invalid(f'Invalid input for query parameters {name}. Value: {text}. It takes an ISO 8601 time') from None
