"""A server as the newest version shows it; ``fields`` makes the older ones of it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from compute import states
from compute.api.changes.servers import EmbeddedFlavor
from compute.api.schema import canonical_address
from compute.api.times import precise, stamp
from compute.objects.instance import Brief, Fault, Instance
from compute.policies import servers as policy
from compute.rest.call import Call

_WITH_PROGRESS = ('ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING')
_HIDDEN_PROPERTIES = ('signature_verified',)


@dataclass(frozen=True)
class Sight:
    """What the caller may see, asked once for a whole page."""

    attributes: bool
    extra_specs: bool
    host_status: bool
    unknown_only: bool
    admin: bool
    group_names: dict[str, str]


def sight_of(call: Call, shown: Iterable[Instance]) -> Sight:
    """Ask policy what this caller may see, and look up the names that the servers to show need."""
    groups = call.app.group_names.of(key for instance in shown for nic in instance.nics for key in nic.security_groups)
    return Sight(group_names=groups, attributes=call.may(policy.ATTRIBUTES),
                 extra_specs=call.may(policy.FLAVOR_EXTRA_SPECS),
                 host_status=call.may(policy.HOST_STATUS), unknown_only=call.may(policy.HOST_STATUS_UNKNOWN),
                 admin=bool(call.context.is_admin))


def sees_hosts(call: Call) -> bool:
    """Tell whether the caller may see how the hosts of servers are doing, be it only that it is not known."""
    return call.may(policy.HOST_STATUS) or call.may(policy.HOST_STATUS_UNKNOWN)


def brief(call: Call, instance: Instance | Brief) -> dict[str, Any]:
    """Return the form of the short list."""
    return {'id': instance.uuid, 'name': instance.name, 'links': call.links(f'/servers/{instance.uuid}')}


def full(call: Call, instance: Instance, sight: Sight, host_status: str = '') -> dict[str, Any]:
    """Return everything that this caller may see."""
    status = states.status(instance.vm_state, instance.task_state)
    shown: dict[str, Any] = {
        **brief(call, instance), 'status': status, 'tenant_id': instance.project_id, 'user_id': instance.user_id,
        'metadata': instance.metadata, 'hostId': host_id(instance), 'image': _image(call, instance),
        'flavor': _flavor(call, instance, sight), 'created': stamp(instance.created_at),
        'updated': stamp(instance.updated_at), 'addresses': addresses(instance),
        'accessIPv4': _address(instance.access_ip_v4), 'accessIPv6': _address(instance.access_ip_v6),
        'OS-DCF:diskConfig': instance.disk_config, 'OS-EXT-AZ:availability_zone': instance.availability_zone or '',
        'config_drive': 'True' if instance.config_drive else '', 'key_name': instance.key_name,
        'OS-SRV-USG:launched_at': precise(instance.launched_at),
        'OS-SRV-USG:terminated_at': precise(instance.terminated_at),
        'OS-EXT-STS:task_state': instance.task_state, 'OS-EXT-STS:vm_state': instance.vm_state,
        'OS-EXT-STS:power_state': instance.power_state, 'os-extended-volumes:volumes_attached': [],
        'locked': instance.locked, 'locked_reason': instance.locked_reason, 'description': instance.description,
        'tags': list(instance.tags), 'trusted_image_certificates': _listed(instance.trusted_image_certificates),
        'pinned_availability_zone': instance.pinned_availability_zone,
        'scheduler_hints': instance.scheduler_hints, 'OS-EXT-SRV-ATTR:hostname': instance.hostname}
    if status in _WITH_PROGRESS:
        shown['progress'] = instance.progress
    if status in ('ERROR', 'DELETED') and instance.fault is not None:
        shown['fault'] = _fault(instance.fault, sight)
    if groups := _security_groups(instance, sight.group_names):
        shown['security_groups'] = groups
    if sight.attributes:
        shown.update(_attributes(instance))
    if sight.host_status or (sight.unknown_only and host_status == 'UNKNOWN'):
        shown['host_status'] = host_status
    return shown


def _address(text: str | None) -> str:
    return canonical_address(text) if text else ''  # rows of earlier releases have it as it was typed


def host_id(instance: Instance) -> str:
    """Return the opaque id of the host: the same for all servers of a project there, and telling nothing more."""
    if not instance.host:
        return ''
    return _host_id(instance.project_id, instance.host)


@functools.lru_cache(maxsize=4096)
def _host_id(project_id: str, host: str) -> str:
    return hashlib.sha224(f'{project_id}{host}'.encode()).hexdigest()


def addresses(instance: Instance) -> dict[str, list[dict[str, Any]]]:
    """Return addresses by network name."""
    found: dict[str, list[dict[str, Any]]] = {}
    if instance.vm_state == states.BUILDING:
        return found
    for nic in instance.nics:
        found.setdefault(nic.network_name, []).extend({
            'version': ip.version, 'addr': ip.address, 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': nic.mac}
            for ip in nic.fixed_ips)
    return found


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _image(call: Call, instance: Instance) -> Any:
    image = instance.image
    if image is None:
        return ''
    properties = {key: value for key, value in image.properties.items() if key not in _HIDDEN_PROPERTIES}
    return {'id': image.id, 'properties': properties, 'links': [
        {'rel': 'bookmark', 'href': f'{call.bookmark_url}/images/{image.id}'}]}


def _flavor(call: Call, instance: Instance, sight: Sight) -> EmbeddedFlavor:
    flavor = instance.flavor
    shown: dict[str, Any] = {
        'vcpus': flavor.vcpus, 'ram': flavor.memory_mb, 'disk': flavor.root_gb, 'ephemeral': flavor.ephemeral_gb,
        'swap': flavor.swap_mb, 'original_name': flavor.name}
    if sight.extra_specs:
        shown['extra_specs'] = flavor.extra_specs
    return EmbeddedFlavor(shown, flavor.flavorid, [
        {'rel': 'bookmark', 'href': f'{call.bookmark_url}/flavors/{flavor.flavorid}'}])


def _fault(fault: Fault, sight: Sight) -> dict[str, Any]:
    """A sentence and the code for all users; messages of hosts and neighbours for administrators."""
    shown = {'code': fault.code, 'created': stamp(fault.created_at), 'message': f'{fault.shown} [{fault.reason}]'}
    if sight.admin:
        shown['details'] = ' '.join(part for part in (
            fault.message, f'[{fault.reason}]', f'at stage {fault.stage}.' if fault.stage else '',
            f'Hint: {fault.hint}.' if fault.hint else '') if part)
    return shown


def _security_groups(instance: Instance, names: dict[str, str]) -> list[dict[str, str]]:
    """Return each group that a port is in, by name; two groups may have the same."""
    keys = dict.fromkeys(key for nic in instance.nics for key in nic.security_groups)
    return [{'name': names.get(key, key)} for key in keys]


def _attributes(instance: Instance) -> dict[str, Any]:
    properties = instance.image.properties if instance.image else {}
    return {
        'OS-EXT-SRV-ATTR:host': instance.host, 'OS-EXT-SRV-ATTR:instance_name': instance.guest_name,
        'OS-EXT-SRV-ATTR:hypervisor_hostname': instance.node,
        'OS-EXT-SRV-ATTR:reservation_id': instance.reservation_id,
        'OS-EXT-SRV-ATTR:launch_index': instance.launch_index,
        'OS-EXT-SRV-ATTR:kernel_id': properties.get('kernel_id', ''),
        'OS-EXT-SRV-ATTR:ramdisk_id': properties.get('ramdisk_id', ''),
        'OS-EXT-SRV-ATTR:root_device_name': instance.root_device_name,
        'OS-EXT-SRV-ATTR:user_data': instance.user_data}
