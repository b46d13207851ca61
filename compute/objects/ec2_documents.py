"""The EC2 tree: what guests of before the openstack tree read, and many still do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compute.objects.instance import Instance
from compute.objects.nic import Nic

VERSIONS = ('1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15', '2008-02-01', '2008-09-01',
            '2009-04-04')


def ec2_id(number: int, template: str = 'i-%08x') -> str:
    """Return an id in EC2's form."""
    return template % number


def image_ec2_id(image_id: str) -> str:
    """Return an id in EC2's form for an image: the front of its uuid, as there is no number."""
    return f'ami-{image_id.replace("-", "")[:8]}'


def meta_data(instance: Instance, nics: tuple[Nic, ...], version: str,
              group_names: Mapping[str, str]) -> dict[str, Any]:
    """Return the tree below meta-data as it is at ``version``; a dictionary is a folder.

    ``group_names`` maps ids of security groups to names. A group without a name in it is left out.
    """
    from compute.objects.guest_documents import full_hostname
    image = instance.image
    fixed = [ip.address for nic in nics for ip in nic.fixed_ips if ip.version == 4]
    hostname = full_hostname(instance)
    found: dict[str, Any] = {
        'ami-id': image_ec2_id(image.id) if image else '', 'ami-launch-index': str(instance.launch_index),
        'ami-manifest-path': '', 'instance-id': ec2_id(instance.id), 'hostname': hostname,
        'local-ipv4': fixed[0] if fixed else '', 'reservation-id': instance.reservation_id,
        'security-groups': '\n'.join(dict.fromkeys(
            group_names[key] for nic in nics for key in nic.security_groups if key in group_names))}
    if instance.key_name and instance.key_data:
        found['public-keys'] = {'0': {'_name': instance.key_name, 'openssh-key': instance.key_data}}
    if _since(version, '2007-01-19'):
        found.update({'local-hostname': hostname, 'public-hostname': hostname, 'public-ipv4': ''})
    if _since(version, '2007-08-29'):
        found['instance-type'] = instance.flavor.name
    if _since(version, '2007-12-15'):
        root = instance.root_device_name or '/dev/vda'
        found['block-device-mapping'] = {'ami': root.removeprefix('/dev/'), 'root': root}
        for kind in ('kernel', 'ramdisk'):
            if image and (part := image.properties.get(f'{kind}_id')):
                found[f'{kind}-id'] = f'{"aki" if kind == "kernel" else "ari"}-{part.replace("-", "")[:8]}'
    if _since(version, '2008-02-01'):
        found['placement'] = {'availability-zone': instance.availability_zone or ''}
    if _since(version, '2008-09-01'):
        found['instance-action'] = 'none'
    return found


def _since(version: str, first: str) -> bool:
    return version == 'latest' or VERSIONS.index(version) >= VERSIONS.index(first)
