"""Create servers: from the body to a ``CreateRequest``."""

from __future__ import annotations

import secrets
import string
from typing import Any

from compute.api.schema import canonical_address, is_true
from compute.api.servers import fields
from compute.api.servers.personality import files_of
from compute.control.instances import create as control
from compute.control.instances.request import Created, CreateRequest
from compute.exception import Invalid
from compute.objects.nic import NicRequest
from compute.policies import create as policy
from compute.rest.call import Call
from compute.rest.fields import Validator
from compute.rest.fields import fields as table
from compute.rest.reply import Reply
from compute.rest.versions import window

FACTS = {'described_by_name': window(until='2.19')}
_ALPHABET = string.ascii_letters + string.digits
_NETWORKS = Validator(table(networks=fields.NETWORK_LIST))


def create(call: Call) -> Any:
    """Begin to create what is asked for; the answer names the first server, or the reservation of all."""
    body = call.body
    password = body.get('adminPass') or ''.join(secrets.choice(_ALPHABET) for _ in range(12))
    request = request_of(call, password)
    return _answer(call, request, control.create(call.app, call.context, request), password)


def again(call: Call, request_id: str) -> Any:
    """Answer as the request did that began it. The password was told with the answer that is lost, and is not kept."""
    request = request_of(call, '')
    return _answer(call, request, control.created_by(call.app, call.context, request, request_id))


def _answer(call: Call, request: CreateRequest, created: Created, password: str | None = None) -> Any:
    if request.return_reservation_id:
        return {'reservation_id': created.reservation_id}
    uuid = created.uuids[0]
    groups = [{'name': name} for name in created.security_groups or ('default',)]
    answer = {'id': uuid, 'links': call.links(f'/servers/{uuid}'), 'OS-DCF:diskConfig': request.disk_config,
              'security_groups': groups}
    if password is not None:
        answer['adminPass'] = password
    return Reply({'server': answer}, headers={'Location': call.link(f'/servers/{uuid}')})


def request_of(call: Call, password: str) -> CreateRequest:
    """Return the request of a checked body. :raises Invalid, Forbidden:"""
    body = call.body
    zone, host, node = _destination(call)
    minimum, maximum = _counts(body)
    return CreateRequest(
        name=body['name'], image_id=_image(body), flavor_id=_last(body['flavorRef']), networks=_networks(call),
        key_name=body.get('key_name'), user_data=body.get('user_data'), files=files_of(body),
        metadata=body.get('metadata', {}),
        tags=tuple(dict.fromkeys(body.get('tags', ()))), description=_description(call),
        hostname=_hostname(body, maximum), security_groups=_groups(body),
        availability_zone=zone, host=host, node=node, config_drive=is_true(body.get('config_drive') or False),
        min_count=minimum, max_count=maximum, hints=_hints(call), admin_pass=password,
        disk_config=body.get('OS-DCF:diskConfig', 'MANUAL'), access_ip_v4=_address(body, 'accessIPv4'),
        access_ip_v6=_address(body, 'accessIPv6'), trusted_image_certificates=_certificates(call),
        may_use_external_networks=call.may(policy.EXTERNAL_NETWORK),
        may_choose_addresses_of_others=call.may(policy.ADDRESS_OF_OTHERS),
        may_use_no_disk=call.may(policy.ZERO_DISK_FLAVOR),
        return_reservation_id=is_true(body.get('return_reservation_id', False)))


def _last(reference: Any) -> str:
    """Return the id in a reference, which may be a link to the thing."""
    return str(reference).rstrip('/').rpartition('/')[2]


def _address(body: dict[str, Any], key: str) -> str | None:
    return canonical_address(body[key]) if key in body else None


def _description(call: Call) -> str | None:
    text: str | None = call.body['name'] if call.facts['described_by_name'] else call.body.get('description')
    return text


def _groups(body: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(group['name'] for group in body.get('security_groups', ()) if 'name' in group))


def _hostname(body: dict[str, Any], count: int) -> str | None:
    hostname: str | None = body.get('hostname')
    if hostname is not None and count > 1:
        raise Invalid(f'hostname cannot be given to several servers, and max_count is {count}: leave it out, and host '
                      'names are made of the name', code='hostname_ambiguous')
    return hostname


def _counts(body: dict[str, Any]) -> tuple[int, int]:
    minimum = int(body.get('min_count', 1))
    maximum = int(body.get('max_count', minimum))
    if minimum > maximum:
        raise Invalid(f'min_count is {minimum} and max_count {maximum}: min_count must be <= max_count')
    if maximum > 1000:
        raise Invalid(f'max_count is {maximum}; the limit is 1000 servers in one request')
    return minimum, maximum


def _image(body: dict[str, Any]) -> str | None:
    """Return the image to boot from: ``imageRef``, or the block device that says the same.

    :raises Invalid: a mapping asks for volumes, or for a disk that flavors give.
    """
    image = _last(body['imageRef']) if body.get('imageRef') else None
    if body.get('block_device_mapping'):
        raise Invalid('block_device_mapping: volumes are not served by this cloud', code='volumes_not_served')
    for number, device in enumerate(body.get('block_device_mapping_v2', ())):
        where = f'block_device_mapping_v2.{number}'
        if device.get('destination_type', 'volume') != 'local' or device.get('source_type') in ('volume', 'snapshot'):
            raise Invalid(f'{where}: volumes are not served by this cloud; source_type image with destination_type '
                          'local is', code='volumes_not_served')
        if device.get('source_type') == 'image' and str(device.get('boot_index', -1)) == '0':
            if image is not None and device.get('uuid') != image:
                raise Invalid(f'{where}.uuid is {device.get("uuid")} and imageRef {image}: they must be the same image')
            image = device.get('uuid')
        else:
            raise Invalid(f'{where}: further local disks come from the flavor (ephemeral and swap)',
                          code='local_disks_by_flavor')
    if image is None:
        raise Invalid('imageRef is missing: a server boots from an image', code='image_missing')
    return image


def _networks(call: Call) -> tuple[NicRequest, ...] | str | None:
    value = call.body.get('networks')
    if value is None:
        return None
    if value and value != 'none':
        call.demand(policy.ATTACH_NETWORK)
    if isinstance(value, str):
        return value
    _NETWORKS.check(call.version, {'networks': value})
    return tuple(_nic(number, entry) for number, entry in enumerate(value))


def _nic(number: int, entry: dict[str, Any]) -> NicRequest:
    port, network = entry.get('port'), entry.get('uuid')
    if not port and not network:
        raise Invalid(f'networks.{number}: give uuid (of a network) or port')
    if port and entry.get('fixed_ip'):
        raise Invalid(f'networks.{number}: fixed_ip is not allowed with port: the port has its addresses')
    return NicRequest(network_id=None if port else network, port_id=port, fixed_ip=_address(entry, 'fixed_ip'),
                      tag=entry.get('tag'))


def _destination(call: Call) -> tuple[str | None, str | None, str | None]:
    """Return zone, host and node; administrators may write ``zone:host:node`` or give host and node by themselves."""
    zone: str | None = call.body.get('availability_zone')
    host, node = call.body.get('host'), call.body.get('hypervisor_hostname')
    if host or node:
        call.demand(policy.REQUESTED_DESTINATION)
    if zone is None or ':' not in zone:
        return zone, host, node
    if host or node:
        raise Invalid(f'availability_zone {zone!r} names a host; host and hypervisor_hostname may not be given too')
    parts = zone.split(':')
    if len(parts) > 3:
        raise Invalid(f'availability_zone {zone!r} has more than three parts; its form is zone:host:node')
    call.demand(policy.FORCED_HOST)
    name, forced, forced_node = (parts + [''])[:3]
    return name or None, forced or None, forced_node or None


def _hints(call: Call) -> dict[str, object]:
    """Return the scheduler hints. :raises Invalid: one of Nova's that nothing here reads, or two sets of hints."""
    given = [dict(call.beside[key]) for key in fields.HINTS if key in call.beside]
    if len(given) == 2 and given[0] != given[1]:
        raise Invalid(f'{" and ".join(fields.HINTS)} differ: give the scheduler hints once')
    hints: dict[str, object] = given[0] if given else {}
    for name in fields.UNREAD_HINTS:
        if name in hints:
            raise Invalid(f'Scheduler hint {name} is not supported by this cloud; the supported hints are '
                          f'{", ".join(fields.READ_HINTS)}', code='hint_not_supported')
    return hints


def _certificates(call: Call) -> tuple[str, ...] | None:
    ids = call.body.get('trusted_image_certificates')
    if ids is None:
        return None
    call.demand(policy.TRUSTED_CERTS)
    return tuple(ids)
