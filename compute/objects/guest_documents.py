"""What a guest is told about itself, for the config drive and the metadata service alike: the openstack and EC2 trees.

Pure functions from values to documents. Versions of the openstack tree only ever add keys and files.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from compute.objects import ec2_documents
from compute.objects.instance import Instance
from compute.objects.network_documents import network_data
from compute.objects.nic import Nic

VERSIONS = ('2012-08-10', '2013-04-04', '2013-10-17', '2015-10-15', '2016-06-30', '2016-10-06', '2017-02-22',
            '2018-08-27', '2020-10-14', '2025-04-04')
LATEST = 'latest'
CONTENT = 'content'
DOMAIN = 'novalocal'


def versions() -> tuple[str, ...]:
    """Return the names of all versions of the openstack tree."""
    return (*VERSIONS, LATEST)


def tree(instance: Instance, nics: tuple[Nic, ...], group_names: Mapping[str, str], *, admin_pass: str | None = None,
         files: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return every document of the config drive by its path.

    :param group_names: names of security groups by id.
    :param files: contents, in base64, of the files that the user put into the server; without, none is listed.
    """
    if len(files) != len(instance.file_paths):
        instance = dataclasses.replace(instance, file_paths=())
    documents = {f'openstack/{CONTENT}/{number:04}': base64.b64decode(content)
                 for number, (_, content) in enumerate(zip(instance.file_paths, files, strict=False))}
    for version in versions():
        for name, content in openstack(instance, nics, version, admin_pass=admin_pass).items():
            documents[f'openstack/{version}/{name}'] = content
    for version in (ec2_documents.VERSIONS[-1], LATEST):
        documents[f'ec2/{version}/meta-data.json'] = _json(
            ec2_documents.meta_data(instance, nics, version, group_names))
        if instance.user_data:
            documents[f'ec2/{version}/user-data'] = user_data(instance)
    return documents


def openstack(instance: Instance, nics: tuple[Nic, ...], version: str, *,
              admin_pass: str | None = None) -> dict[str, bytes]:
    """Return the files of one version of the openstack tree by name."""
    files = {'meta_data.json': _json(meta_data(instance, nics, version, admin_pass=admin_pass))}
    if instance.user_data:
        files['user_data'] = user_data(instance)
    if _since(version, '2013-10-17'):
        files['vendor_data.json'] = _json({})
    if _since(version, '2015-10-15'):
        files['network_data.json'] = _json(network_data(nics))
    if _since(version, '2016-10-06'):
        files['vendor_data2.json'] = _json({})
    return files


def meta_data(instance: Instance, nics: tuple[Nic, ...], version: str, *,
              admin_pass: str | None = None) -> dict[str, Any]:
    """Return meta_data.json as it is at ``version``."""
    found: dict[str, Any] = {
        'uuid': instance.uuid, 'name': instance.name, 'hostname': full_hostname(instance),
        'launch_index': instance.launch_index, 'availability_zone': instance.availability_zone}
    if instance.metadata:
        found['meta'] = instance.metadata
    if instance.file_paths:
        found['files'] = [{'path': path, 'content_path': f'/{CONTENT}/{number:04}'}
                          for number, path in enumerate(instance.file_paths)]
    if instance.key_name and instance.key_data:
        found['public_keys'] = {instance.key_name: instance.key_data}
        found['keys'] = [{'name': instance.key_name, 'type': instance.key_type, 'data': instance.key_data}]
    if admin_pass and _since(version, '2013-04-04'):
        found['admin_pass'] = admin_pass
    if _since(version, '2013-10-17'):
        found['random_seed'] = base64.b64encode(os.urandom(512)).decode()
    if _since(version, '2015-10-15'):
        found['project_id'] = instance.project_id
    if _since(version, '2016-06-30'):
        found['devices'] = devices(nics)
    if _since(version, '2020-10-14'):
        found['dedicated_cpus'] = []
    return found


def devices(nics: tuple[Nic, ...]) -> list[dict[str, Any]]:
    """Return the devices that the user tagged."""
    return [{'type': 'nic', 'bus': 'none', 'mac': nic.mac, 'tags': [nic.tag]} for nic in nics if nic.tag]


def full_hostname(instance: Instance) -> str:
    """Return the host name with its domain, unless it has one."""
    return instance.hostname if '.' in instance.hostname else f'{instance.hostname}.{DOMAIN}'


def user_data(instance: Instance) -> bytes:
    """Return what the user gave, decoded."""
    return base64.b64decode(instance.user_data or '')


def _since(version: str, first: str) -> bool:
    return version == LATEST or version >= first


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
