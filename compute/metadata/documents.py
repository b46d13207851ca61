"""From a path to a document or a listing, for one server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compute import exception
from compute.objects import ec2_documents, guest_documents
from compute.objects.instance import Instance

_SERVED_FILES = ('password',)
GroupNames = Callable[[Iterable[str]], Mapping[str, str]]


def lookup(instance: Instance, path: str, group_names: GroupNames) -> bytes:
    """Return the document at ``path``: a file's content, or the names in a folder, one per line.

    ``group_names`` returns names of security groups by id; it is called for the EC2 tree only. :raises NotFound:
    """
    parts = [part for part in path.split('/') if part]
    if not parts:
        return _lines([*ec2_documents.VERSIONS, 'latest'])
    if parts[0] == 'openstack':
        return _openstack(instance, parts[1:])
    if parts[0] in ec2_documents.VERSIONS or parts[0] == 'latest':
        return _ec2(instance, parts[0], parts[1:], group_names)
    raise _missing(path)


def _openstack(instance: Instance, parts: list[str]) -> bytes:
    if not parts:
        return _lines(list(guest_documents.versions()))
    version = parts[0]
    if version not in guest_documents.versions():
        raise _missing(version)
    files = guest_documents.openstack(instance, instance.nics, version)
    if len(parts) == 1:
        extra = _SERVED_FILES if version == 'latest' or version >= '2013-04-04' else ()
        return _lines([*files, *extra])
    if len(parts) == 2 and parts[1] in files:
        return files[parts[1]]
    raise _missing('/'.join(parts))


def _ec2(instance: Instance, version: str, parts: list[str], group_names: GroupNames) -> bytes:
    names = group_names({key for nic in instance.nics for key in nic.security_groups})
    root: dict[str, Any] = {'meta-data': ec2_documents.meta_data(instance, instance.nics, version, names)}
    if instance.user_data:
        root['user-data'] = guest_documents.user_data(instance)
    node: Any = root
    for part in parts:
        if not isinstance(node, dict) or part.startswith('_') or part not in node:
            raise _missing('/'.join(parts))
        node = node[part]
    return _rendered(node, top=not parts)


def _rendered(node: Any, *, top: bool) -> bytes:
    if isinstance(node, bytes):
        return node
    if not isinstance(node, dict):
        return str(node).encode()
    names = []
    for name in sorted(node):
        child = node[name]
        if name.startswith('_'):
            continue
        if isinstance(child, dict) and '_name' in child:
            names.append(f'{name}={child["_name"]}')
        else:
            names.append(f'{name}/' if isinstance(child, dict) and not (top and name == 'user-data') else name)
    return _lines(names)


def _lines(names: list[str]) -> bytes:
    return '\n'.join(names).encode()


def _missing(path: str) -> exception.NotFound:
    return exception.NotFound(f'There is no {path} here')
