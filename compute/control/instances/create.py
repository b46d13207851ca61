"""Create servers: everything is checked first, then quota, servers and operations are written in one transaction."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from compute import exception, states
from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.control.instances import boot_image, checks, effects, files
from compute.control.instances.request import Created, CreateRequest
from compute.db import injected_files, instances, operations, quotas, server_groups
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.instance import Instance
from compute.objects.kinds.create import CREATE, CreateArgs
from compute.objects.operation import Work
from compute.objects.value import now

# Servers of one request that a conductor places together: more would wait for one another.
TOGETHER = 20


def create(cloud: Cloud, context: RequestContext, request: CreateRequest) -> Created:
    """Begin to create ``max_count`` servers, or as many down to ``min_count`` as quota allows.

    :raises Invalid: a field is wrong, or names what is not there. :raises OverQuota: not even ``min_count`` fit.
    """
    flavor = checks.flavor_of(cloud, context, request.flavor_id)
    image = boot_image.complete(cloud, context, checks.image_of(cloud, context, request.image_id))
    checks.disk_allowed(request, flavor)
    checks.image_fits(image, flavor)
    effects.check(request, flavor, image)
    checks.user_data_fits(request.user_data)
    key = checks.key_of(cloud, context, request.key_name)
    checks.zone_exists(cloud, request.availability_zone)
    checks.host_exists(cloud, request.host, request.node)
    checks.group_exists(cloud, context, _group_hint(request))
    checks.named_servers_exist(cloud, context, request)
    nics = checks.nics_of(cloud, context, request)
    groups = _security_groups(cloud, context, request.security_groups)
    args = CreateArgs(nics=nics, admin_pass=request.admin_pass, zone=request.availability_zone, host=request.host,
                      node=request.node)

    def plan(count: int) -> list[Instance]:
        return _plan(context, request, count, flavor, image, key, groups)
    works = cloud.db.transaction(lambda connection: _write(cloud, connection, context, request, flavor, plan, args))
    for start in range(0, len(works), TOGETHER):
        operation.hint(cloud, context, works[start:start + TOGETHER])
    return Created(uuids=tuple(work.instance.uuid for work in works),
                   reservation_id=works[0].instance.reservation_id, security_groups=request.security_groups)


def created_by(cloud: Cloud, context: RequestContext, request: CreateRequest, request_id: str) -> Created:
    """Return what a request of that id created. :raises NotFound: nothing, or it is forgotten."""
    def read(connection: Connection) -> Created:
        found = [each for each in operations.of_request(connection, request_id, CREATE.name)
                 if each.project_id == context.project_id]
        if not found:
            raise exception.NotFound(f'No server that request {request_id} created could be found.')
        first = instances.find(connection, found[0].instance_uuid, deleted=True)
        return Created(uuids=tuple(each.instance_uuid for each in found), security_groups=request.security_groups,
                       reservation_id=first.reservation_id if first else '')
    return cloud.db.read(read)


def _plan(context: RequestContext, request: CreateRequest, count: int, flavor: Flavor, image: Image, key: Any,
          groups: tuple[str, ...]) -> list[Instance]:
    """Return ``count`` servers; the names of several end in their numbers."""
    time = now()
    reservation = f'r-{uuids.uuid4().hex[:8]}'
    planned = []
    for number in range(count):
        uuid = str(uuids.uuid4())
        suffix = f'-{number + 1}' if count > 1 else ''
        name = f'{request.name[:255 - len(suffix)]}{suffix}'
        hostname = checks.hostname_of(request, uuid, suffix)
        planned.append(Instance(
            uuid=uuid, project_id=context.project_id or '', user_id=context.user_id or '', name=name,
            description=request.description, hostname=hostname,
            vm_state=states.BUILDING, task_state=states.SCHEDULING, flavor=flavor, image=image,
            availability_zone=request.availability_zone, pinned_availability_zone=request.availability_zone,
            key_name=request.key_name, key_data=key.public_key if key else None, key_type=key.type if key else 'ssh',
            user_data=request.user_data, config_drive=request.config_drive, metadata=request.metadata,
            tags=request.tags, security_groups=groups, scheduler_hints=request.hints,
            server_group=_group_hint(request), trusted_image_certificates=request.trusted_image_certificates,
            access_ip_v4=request.access_ip_v4, access_ip_v6=request.access_ip_v6, disk_config=request.disk_config,
            file_paths=tuple(file.path for file in request.files), reservation_id=reservation, launch_index=number,
            created_at=time, updated_at=time))
    return planned


def _write(cloud: Cloud, connection: Connection, context: RequestContext, request: CreateRequest,
           flavor: Flavor, plan: Callable[[int], list[Instance]], args: CreateArgs) -> list[Work]:
    limits = quotas.limits_of(connection, cloud.conf, context.project_id or '', context.user_id, binding=True)
    _check_metadata(limits, request)
    files.check_quota(limits, request.files)
    planned = plan(_charge(connection, limits, context, flavor, request))
    if group := planned[0].server_group:
        server_groups.add_members(connection, group, [instance.uuid for instance in planned], limits)
    works = []
    for instance in planned:
        opened = operations.insert(connection, operation.new(
            context, instance, CREATE, args, host=None,
            begin_within=cloud.conf.conductor.begin_timeout))
        instances.insert(connection, instance, opened.id)
        works.append(Work(operation=opened, instance=instance))
    injected_files.insert(connection, [instance.uuid for instance in planned], request.files)
    return works


def _charge(connection: Connection, limits: dict[str, int], context: RequestContext, flavor: Flavor,
            request: CreateRequest) -> int:
    """Charge quota for as many servers as fit and return how many. :raises OverQuota: fewer than ``min_count``."""
    project, each = context.project_id or '', {'instances': 1, 'cores': flavor.vcpus, 'ram': flavor.memory_mb}
    count = request.min_count
    if request.max_count > count:  # what is counted here must still be so when it is charged
        quotas.lock_project(connection, project)
        used = quotas.usage_of(connection, project)
        room = [(limits[name] - used[name]) // amount for name, amount in each.items()
                if amount > 0 and limits[name] != quotas.UNLIMITED]
        count = max(count, min([request.max_count, *room]))
    quotas.charge(connection, limits, project, **{name: count * amount for name, amount in each.items()})
    return count


def _check_metadata(limits: dict[str, int], request: CreateRequest) -> None:
    limit = limits.get('metadata_items', -1)
    if 0 <= limit < len(request.metadata):
        raise exception.OverQuota(f'Quota exceeded for metadata_items: Requested {len(request.metadata)}, '
                                  f'the limit is {limit}')


def _security_groups(cloud: Cloud, context: RequestContext, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of security groups given by name or id; none given means the project's default."""
    wanted = [name for name in names if name != 'default']
    if not wanted:
        return ()
    known = cloud.networks.security_groups(context)
    ids = []
    for name in names:
        # The id wins: anybody may name a group like the id of another.
        matches = ([group.id for group in known if group.id == name]
                   or [group.id for group in known if group.name == name])
        if not matches:
            raise exception.Invalid(f'Security group {name} could not be found in project {context.project_id}.',
                                    code='security_group_not_found')
        if len(matches) > 1:
            raise exception.Conflict(f'Multiple security groups are named {name!r}; give the id.')
        ids.append(matches[0])
    return tuple(dict.fromkeys(ids))


def _group_hint(request: CreateRequest) -> str | None:
    group = request.hints.get('group')
    return str(group) if group else None
