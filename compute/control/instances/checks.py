"""What must be true before a server is created: each check says which field is wrong, and by how much."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from compute import exception
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.control.instances import fixed_ips
from compute.control.instances.request import AUTO, NONE, CreateRequest
from compute.db import flavors, hosts, instances, keypairs, server_group_list
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.instance import named_by
from compute.objects.network import Network
from compute.objects.nic import NicRequest

GIB = 1024 ** 3
MAX_USER_DATA = 65535
MAX_LABEL = 63  # of a part of a host name


def flavor_of(cloud: Cloud, context: RequestContext, flavor_id: str) -> Flavor:
    """Return the flavor if this project may use it. :raises Invalid: it may not, or there is none."""
    try:
        flavor = cloud.db.read(lambda connection: flavors.get(connection, flavor_id))
    except exception.NotFound:
        raise exception.Invalid(f'Flavor {flavor_id} could not be found.', code='flavor_not_found') from None
    hidden = not flavor.is_public and not context.is_admin and context.project_id not in flavor.projects
    if hidden or flavor.disabled:
        raise exception.Invalid(f'Flavor {flavor_id} could not be found.', code='flavor_not_found')
    return flavor


def image_of(cloud: Cloud, context: RequestContext, image_id: str | None) -> Image:
    """Return the image as the caller sees it. :raises Invalid: none given, none there, or not active."""
    if not image_id:
        raise exception.Invalid('imageRef is missing: a server boots from an image', code='image_missing')
    try:
        image: Image = cloud.recent.get(context, ('image', image_id), lambda: cloud.images.get(context, image_id),
                                        lambda found: found.status == 'active')
    except exception.NotFound:
        raise exception.Invalid(f'imageRef {image_id}: image could not be found.', code='image_not_found') from None
    if image.status != 'active':
        raise exception.Invalid(f'imageRef {image_id}: the image is {image.status}, it must be active.',
                                code='image_not_active')
    return image


def disk_allowed(request: CreateRequest, flavor: Flavor) -> None:
    """Return if a flavor without a disk may be used, where only the image's size rules. :raises Forbidden:"""
    if flavor.root_gb == 0 and not request.may_use_no_disk:
        raise exception.Forbidden(f'Only volume-backed servers are allowed for flavors with zero disk, and flavor '
                                  f'{flavor.name} has none.', code='zero_disk_flavor')


def image_fits(image: Image, flavor: Flavor) -> None:
    """Return if the flavor is large enough for the image. :raises Invalid: names both numbers."""
    if flavor.memory_mb < image.min_ram:
        raise exception.Invalid(f"Flavor's memory is too small for requested image: {flavor.name} has "
                                f'{flavor.memory_mb} MB, image {image.id} needs {image.min_ram} MB.',
                                code='flavor_memory_too_small')
    if flavor.root_gb == 0:
        return
    size = max(image.size or 0, image.virtual_size or 0)
    if size > flavor.root_gb * GIB:
        raise exception.Invalid(f"Flavor's disk is too small for requested image: {flavor.name} has "
                                f'{flavor.root_gb} GB ({flavor.root_gb * GIB} bytes), image {image.id} is {size} '
                                'bytes.',
                                code='flavor_disk_too_small')
    if image.min_disk > flavor.root_gb:
        raise exception.Invalid(f"Flavor's disk is too small for requested image: {flavor.name} has "
                                f'{flavor.root_gb} GB, image {image.id} needs {image.min_disk} GB.',
                                code='flavor_disk_too_small')


def key_of(cloud: Cloud, context: RequestContext, name: str | None) -> Any:
    """Return the caller's key pair, None when none is asked for. :raises Invalid: there is none of that name."""
    if not name:
        return None
    try:
        return cloud.db.read(lambda connection: keypairs.get(connection, context.user_id or '', name))
    except exception.NotFound:
        raise exception.Invalid(f'Invalid key_name provided: key pair {name!r} could not be found for this user.',
                                code='key_not_found') from None


def zone_exists(cloud: Cloud, zone: str | None) -> None:
    """Return if hosts report this zone. :raises Invalid: none does."""
    if zone is None:
        return
    if not cloud.db.read(lambda connection: hosts.exists(connection, zone=zone)):
        zones = cloud.db.read(hosts.zone_names)
        raise exception.Invalid(f'The requested availability zone is not available: {zone!r}; known are '
                                f'{", ".join(zones) or "none"}.', code='zone_not_found')


def host_exists(cloud: Cloud, host: str | None, node: str | None) -> None:
    """Return if the named destination is a host here. :raises Invalid: it is not."""
    if host is None and node is None:
        return
    if not cloud.db.read(lambda connection: hosts.exists(connection, host=host, node=node)):
        raise exception.Invalid(f'Compute host {host or node} could not be found.', code='host_not_found')


def group_exists(cloud: Cloud, context: RequestContext, group: str | None) -> None:
    """Return if the server group of the hint is the caller's. :raises Invalid: it is not, or there is none."""
    if group is None:
        return
    scope = None if context.is_admin else context.project_id
    try:
        cloud.db.read(lambda connection: server_group_list.get(connection, group, scope))
    except exception.NotFound:
        raise exception.Invalid(f'Instance group {group} could not be found.', code='group_not_found') from None


def user_data_fits(text: str | None) -> None:
    """Return if user data is base64 of an acceptable length. :raises Invalid:"""
    if text is None:
        return
    if len(text) > MAX_USER_DATA:
        raise exception.Invalid(f'user_data has {len(text)} characters of base64; the limit is {MAX_USER_DATA}.')
    try:
        base64.b64decode(''.join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise exception.Invalid('user_data is not valid base64.') from None


def named_servers_exist(cloud: Cloud, context: RequestContext, request: CreateRequest) -> None:
    """Return if the servers that scheduler hints name are the project's. :raises Invalid: one is not."""
    named = {hint: named_by(request.hints, hint) or () for hint in ('same_host', 'different_host')}
    wanted = {uuid for uuids in named.values() for uuid in uuids}
    found = cloud.db.read(lambda connection: instances.of_uuids(connection, wanted)) if wanted else {}
    for hint, uuids in named.items():
        for uuid in uuids:
            if uuid not in found or found[uuid].project_id != context.project_id:
                raise exception.Invalid(f'Scheduler hint {hint}: server {uuid} could not be found in this project.',
                                        code='server_not_found')


def nics_of(cloud: Cloud, context: RequestContext, request: CreateRequest) -> tuple[NicRequest, ...]:
    """Return the NICs to make, with ``auto`` and "none given" worked out. :raises Invalid, Conflict:"""
    wanted = request.networks
    if wanted == NONE:
        return ()
    if wanted == AUTO:
        return (NicRequest(network_id=cloud.networks.auto_network(context)),)
    if wanted is None or not wanted:
        return _only_network(cloud, context)
    assert not isinstance(wanted, str)
    _networks_usable(cloud, context, request, wanted)
    ports = [nic.port_id for nic in wanted if nic.port_id]
    if len(set(ports)) < len(ports):
        raise exception.Invalid('networks names the same port twice')
    if ports and request.max_count > 1:
        raise exception.Invalid('Unable to launch multiple instances with a single configured port ID: '
                                'max_count must be 1 when networks names a port.')
    if request.max_count > 1 and any(nic.fixed_ip for nic in wanted):
        raise exception.Invalid('max_count must be 1 when networks asks for a fixed_ip: an address belongs to one '
                                'server.')
    for port_id in ports:
        _port_is_free(cloud, context, port_id)
    fixed_ips.check(cloud, context, wanted)
    return wanted


def _only_network(cloud: Cloud, context: RequestContext) -> tuple[NicRequest, ...]:
    networks = [network for network in cloud.networks.networks(context) if not network.external]
    if len(networks) > 1:
        raise exception.Conflict('Multiple possible networks found, use a Network ID to be more specific.',
                                 code='network_ambiguous')
    return tuple(NicRequest(network_id=network.id) for network in networks)


def _networks_usable(cloud: Cloud, context: RequestContext, request: CreateRequest,
                     wanted: tuple[NicRequest, ...]) -> None:
    for network_id in {nic.network_id for nic in wanted if nic.network_id and not nic.port_id}:
        try:
            network = _network(cloud, context, network_id)
        except exception.NotFound:
            raise exception.Invalid(f'Network {network_id} could not be found.', code='network_not_found') from None
        if not network.has_subnets:
            raise exception.Invalid(f'Network {network_id} requires a subnet in order to boot instances on.',
                                    code='network_without_subnet')
        if network.external and not network.shared and not request.may_use_external_networks:
            raise exception.Forbidden(f'It is not allowed to create an interface on external network {network_id}.',
                                      code='external_network')
        if network.project_id != context.project_id and not request.may_choose_addresses_of_others and any(
                nic.fixed_ip and not nic.port_id for nic in wanted if nic.network_id == network_id):
            raise exception.Forbidden(f'It is not allowed to choose a fixed_ip on network {network_id}: only its owner '
                                      f'project and administrators choose addresses there.',
                                      code='address_of_shared_network')


def _network(cloud: Cloud, context: RequestContext, network_id: str) -> Network:
    found: Network = cloud.recent.get(context, ('network', network_id),
                                      lambda: cloud.networks.network(context, network_id),
                                      lambda network: network.has_subnets)
    return found


def _port_is_free(cloud: Cloud, context: RequestContext, port_id: str) -> None:
    try:
        port = cloud.networks.port(context, port_id)
    except exception.NotFound:
        raise exception.Invalid(f'Port id {port_id} could not be found.', code='port_not_found') from None
    if port.device_id:
        raise exception.Conflict(f'Port {port_id} is still in use by {port.device_id}.', code='port_in_use')
    if port.project_id and port.project_id != context.project_id:
        raise exception.Invalid(f'Port {port_id} belongs to another project than the server.', code='port_not_usable')


def hostname_of(request: CreateRequest, uuid: str, suffix: str) -> str:
    """Return the host name of a server: the one asked for, else its name made fit for one and cut before ``suffix``.

    A name of which nothing is left gives ``server-`` and the uuid.
    """
    if request.hostname:
        return request.hostname
    text = re.sub(r'[ _.]+', '-', request.name.encode('ascii', 'ignore').decode())
    text = re.sub(r'[^A-Za-z0-9-]', '', text).lower().strip('-')[:MAX_LABEL - len(suffix)].strip('-')
    return f'{text}{suffix}' if text else f'server-{uuid}'
