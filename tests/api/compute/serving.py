"""Servers for the tests of their API: a network, an image and a flavor to ask for, and rows of servers in any state."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import itertools
import uuid
from typing import Any

from compute.db import instances, migrations, operations
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.instance import Instance
from compute.objects.migration import Migration
from compute.objects.nic import FixedIp, Nic
from compute.objects.operation import Operation
from tests.api.compute.compute_cloud import ADMIN, MEMBER, ComputeApi

LATEST = '2.104'
TIME = datetime.datetime(2026, 11, 20, 12, 0, 0)
_numbers = itertools.count(1)
# The vm_state in which an action is allowed, where that is not active.
BEGINS = {'os-start': 'stopped', 'unpause': 'paused', 'resume': 'suspended', 'confirmResize': 'resized',
          'revertResize': 'resized'}


class Servers:
    """What a project needs to have servers, and shortcuts to make and read them."""

    def __init__(self, api: ComputeApi) -> None:
        self.api = api
        self.network = api.networks.add_network(project_id='p1', name='net1')
        self.image = api.images.add(Image(id=str(uuid.uuid4()), name='cirros', disk_format='raw', min_ram=64,
                                          properties={'hw_disk_bus': 'virtio'}), b'x' * 100).id
        self.flavor = self.add_flavor('small', ram=512, vcpus=1, disk=1)
        self.group = api.networks.add_group('p1', 'web')

    def add_flavor(self, name: str, **size: Any) -> str:
        """Make a flavor and return its id."""
        made = self.api('POST', '/flavors', {'flavor': {'name': name, **size}}, token=ADMIN, status=200)['flavor']
        self.api('POST', f'/flavors/{made["id"]}/os-extra_specs', {'extra_specs': {'hw:mem_page_size': 'any'}},
                 token=ADMIN, status=200)
        return str(made['id'])

    def request(self, **changes: Any) -> dict[str, Any]:
        """Return a body that is accepted, with changes; None takes a key away."""
        body = {'name': 'vm', 'imageRef': self.image, 'flavorRef': self.flavor, 'networks': [{'uuid': self.network}],
                **changes}
        return {'server': {key: value for key, value in body.items() if value is not None}}

    def create(self, status: int = 202, *, version: str = LATEST, token: str = MEMBER, beside: Any = None,
               **changes: Any) -> Any:
        """Ask for a server; the answer's ``server``, or the whole when there is none."""
        answer = self.api('POST', '/servers', {**self.request(**changes), **(beside or {})}, version=version,
                          token=token, status=status)
        return answer.get('server', answer)

    def insert(self, **values: Any) -> Instance:
        """Put a server of p1 into the store: active on host h1 with one port, unless told otherwise."""
        number = next(_numbers)
        key = str(uuid.uuid4())
        nic = Nic(port_id=str(uuid.uuid4()), network_id=self.network, network_name='net1', mac='fa:16:3e:00:00:01',
                  fixed_ips=(FixedIp(address=f'10.0.0.{number % 250 + 2}', subnet_id=str(uuid.uuid4())),),
                  security_groups=(self.group,), active=True)
        flavor = Flavor(id=1, flavorid=self.flavor, name='small', vcpus=1, memory_mb=512, root_gb=1,
                        extra_specs={'hw:mem_page_size': 'any'})
        shown = {
            'uuid': key, 'project_id': 'p1', 'user_id': 'ann', 'name': f'vm-{number}', 'hostname': f'vm-{number}',
            'flavor': flavor, 'image': Image(id=self.image, name='cirros', properties={'hw_disk_bus': 'virtio'}),
            'nics': (nic,), 'vm_state': 'active', 'power_state': 1, 'host': 'h1', 'node': 'h1',
            'availability_zone': 'nova', 'reservation_id': 'r-1', 'launched_at': TIME, 'created_at': TIME,
            'updated_at': TIME, **values}
        instance = Instance(**shown)
        def write(connection: Any) -> Instance:
            instances.insert(connection, instance)
            return instances.find(connection, instance.uuid, deleted=True)  # type: ignore[return-value]
        return self.api.db.transaction(write)

    def ready(self, action: str, **values: Any) -> str:
        """Put a server into the store on which an action is allowed, and return its uuid."""
        self.api.add_host('h1')
        key = self.insert(**{'vm_state': BEGINS.get(action, 'active'), **values}).uuid
        if BEGINS.get(action) == 'resized':
            self.moved(key)
        return key

    def moved(self, key: str) -> None:
        """Put a finished move of a server from h0 into the store."""
        row = self.row(key)
        moved = Migration(
            uuid=str(uuid.uuid4()), instance_uuid=key, project_id=row.project_id, user_id='ann', operation_id=0,
            type='resize', status='finished', source_host='h0', source_node='h0', dest_host='h1', dest_node='h1',
            old_flavor=row.flavor, new_flavor=row.flavor, old_vm_state='active')
        self.api.db.transaction(lambda connection: migrations.insert(connection, moved))

    def value(self, action: str) -> Any:
        """Return a value with which an action is accepted."""
        if action == 'resize':
            return {'flavorRef': self.larger}
        return {'reboot': {'type': 'SOFT'}}.get(action)

    @functools.cached_property
    def larger(self) -> str:
        """The id of a flavor with more memory."""
        return self.add_flavor('larger', ram=1024, vcpus=2, disk=2)

    def row(self, key: str) -> Instance:
        """Return a server as it is stored, deleted or not."""
        found = self.api.db.read(lambda connection: instances.find(connection, key, deleted=True))
        assert found is not None
        return found

    def set(self, key: str, **values: Any) -> None:
        """Change columns of a server."""
        self.api.db.transaction(lambda connection: instances.update(connection, key, **values))

    def operations(self, key: str) -> list[Operation]:
        """Return what was done to a server, newest first."""
        return self.api.db.read(lambda connection: operations.of_instance(connection, key))

    def show(self, key: str, version: str = LATEST, token: str = MEMBER, status: int = 200) -> Any:
        """Return a server as the API shows it."""
        return self.api('GET', f'/servers/{key}', version=version, token=token, status=status)['server']

    def act(self, key: str, action: str, value: Any = None, *, version: str = LATEST, token: str = MEMBER,
            status: int = 202) -> Any:
        """Post an action."""
        return self.api('POST', f'/servers/{key}/action', {action: value}, version=version, token=token, status=status)


def message(answer: Any) -> str:
    """Return the message of an error."""
    (body,) = answer.values()
    return str(body['message'])


def without_times(instance: Instance) -> Instance:
    """Return a server without what every write changes."""
    return dataclasses.replace(instance, updated_at=None)
