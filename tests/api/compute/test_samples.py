"""Requests and answers of servers at every version at which their shape changes, kept under doc/api_samples.

A run compares; with COMPUTE_WRITE_SAMPLES=1 it writes. Ids, times and secrets are replaced, so that every run gives the
same.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from compute.api.servers import ops
from compute.db import operations, tables
from compute.objects.instance import Fault
from compute.objects.nic import FixedIp, Nic
from compute.objects.operation import FAILED, Operation, OperationError
from compute.rest.op import Op
from compute.rest.versions import Version
from tests.api.compute.compute_cloud import ADMIN
from tests.api.compute.serving import BEGINS, TIME, Servers

ROOT = Path(__file__).resolve().parents[3] / 'doc' / 'api_samples' / 'servers'
WRITE = os.environ.get('COMPUTE_WRITE_SAMPLES') == '1'
TOKEN = 'root:p1:admin,member,reader'
_UUID = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_TIME = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d')
_SECRET = re.compile(r'"adminPass": "[^"]*"')
_RESERVATION = re.compile(r'"r-[0-9a-f]{8}"')

CREATE = {
    'name': 'web', 'imageRef': '<image>', 'flavorRef': '<flavor>', 'networks': [{'uuid': '<network>'}], 'min_count': 1,
    'max_count': 1, 'key_name': None, 'metadata': {'role': 'web'}, 'user_data': 'IyEvYmluL3NoCg==',
    'config_drive': True, 'security_groups': [{'name': 'web'}], 'availability_zone': 'nova', 'description': 'A server.',
    'tags': ['blue'], 'host': 'h1', 'hypervisor_hostname': 'h1',
    'hostname': 'web-1', 'OS-DCF:diskConfig': 'AUTO', 'accessIPv4': '192.0.2.7'}
UPDATE = {'name': 'web-2', 'description': 'Another.', 'accessIPv6': '2001:db8::7', 'hostname': 'web-2',
          'OS-DCF:diskConfig': 'MANUAL', 'pinned_availability_zone': 'nova'}
ACTIONS: dict[str, Any] = {
    'os-start': None, 'os-stop': None, 'reboot': {'type': 'SOFT'}, 'forceDelete': None,
    'lock': {'locked_reason': 'maintenance'}, 'unlock': None, 'os-getConsoleOutput': {'length': 50},
    'pause': None, 'unpause': None, 'suspend': None, 'resume': None, 'resize': {'flavorRef': '<larger>'},
    'confirmResize': None, 'revertResize': None, 'migrate': {'host': 'h2'}}
SINCE = {'lock': Version(2, 73), 'migrate': Version(2, 56)}
"""From which version on an action has parameters."""
STATUS = {'os-getConsoleOutput': 200, 'confirmResize': 204}


def boundaries(op: Op) -> list[str]:
    """Return the first version of an operation, and each at which its body or its answer changes."""
    found = {Version(2, 1)}
    if op.body is not None:
        found |= op.body.table.boundaries()
    if op.view is not None:
        found |= op.view.table.boundaries() | {at for at, _ in op.view._changes}
    return [str(version) for version in sorted(found) if version <= Version(2, 104)]


def op_of(method: str, path: str) -> Op:
    return next(op for op in ops.RESOURCE.ops if (op.method, op.path) == (method, path))


def body_at(op: Op, values: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the keys of a body that exist at a version."""
    assert op.body is not None
    known = op.body.table.schema(Version.of(version))['properties']['server']['properties']
    return {'server': {key: value for key, value in values.items() if key in known and value is not None}}


def filled(servers: Servers, data: Any) -> Any:
    text = json.dumps(data)
    for name in ('image', 'flavor', 'network', *(['larger'] if '<larger>' in text else [])):
        text = text.replace(f'<{name}>', getattr(servers, name))
    return json.loads(text)


def scrubbed(data: Any) -> str:
    text = json.dumps(data, indent=4, sort_keys=True)
    ids: dict[str, str] = {}
    text = _UUID.sub(lambda match: ids.setdefault(match.group(), f'10000000-0000-4000-8000-{len(ids) + 1:012d}'), text)
    text = _TIME.sub('2026-11-20T12:00:00', text)
    text = _SECRET.sub('"adminPass": "a-password"', text)
    return _RESERVATION.sub('"r-1a2b3c4d"', text) + '\n'


def keep(name: str, part: str, data: Any) -> None:
    path = ROOT / f'{name}-{part}.json'
    text = scrubbed(data)
    if WRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    assert path.exists(), f'{path} is missing: run with COMPUTE_WRITE_SAMPLES=1'
    assert path.read_text(encoding='utf-8') == text, f'{path} differs: look why, or run with COMPUTE_WRITE_SAMPLES=1'


@pytest.fixture
def one(servers: Servers) -> Servers:
    """A cloud with one host and one server."""
    servers.api.add_host('h1')
    nic = Nic(port_id='20000000-0000-4000-8000-000000000001', network_id=servers.network, network_name='private',
              mac='fa:16:3e:00:00:01', security_groups=(servers.group,), active=True,
              fixed_ips=(FixedIp(address='10.0.0.5', subnet_id='20000000-0000-4000-8000-000000000002'),))
    fault = Fault(code=500, reason='no_valid_host', message='No valid host was found.', created_at=TIME)
    servers.insert(name='web', hostname='web', nics=(nic,), metadata={'role': 'web'}, tags=('blue',),
                   description='A server.', pinned_availability_zone='nova', fault=fault, config_drive=True)
    return servers


def key_of(servers: Servers) -> str:
    return str(servers.api('GET', '/servers', token=TOKEN)['servers'][0]['id'])


@pytest.mark.parametrize('version', boundaries(op_of('POST', '/servers')))
def test_create(servers: Servers, version: str) -> None:
    servers.api.add_host('h1')
    body = filled(servers, body_at(op_of('POST', '/servers'), CREATE, version))
    answer = servers.api('POST', '/servers', body, version=version, token=TOKEN, status=202)
    keep(f'create/{version}', 'request', body)
    keep(f'create/{version}', 'response', answer)


@pytest.mark.parametrize('version', boundaries(op_of('GET', '/servers/{id}')))
def test_show(one: Servers, version: str) -> None:
    keep(f'show/{version}', 'response', {'server': one.show(key_of(one), version, TOKEN)})


@pytest.mark.parametrize('version', boundaries(op_of('GET', '/servers/detail')))
def test_detail(one: Servers, version: str) -> None:
    one.set(key_of(one), vm_state='error')
    keep(f'detail/{version}', 'response', one.api('GET', '/servers/detail?limit=1', version=version, token=TOKEN))


def test_list(one: Servers) -> None:
    keep('list/2.1', 'response', one.api('GET', '/servers?limit=1', token=TOKEN))


@pytest.mark.parametrize('version', sorted({*boundaries(op_of('PUT', '/servers/{id}'))}, key=Version.of))
def test_update(one: Servers, version: str) -> None:
    key, body = key_of(one), body_at(op_of('PUT', '/servers/{id}'), UPDATE, version)
    answer = one.api('PUT', f'/servers/{key}', body, version=version, token=TOKEN, status=200)
    keep(f'update/{version}', 'request', body)
    keep(f'update/{version}', 'response', answer)


@pytest.mark.parametrize(('action', 'version'), [
    (action, version) for action in ACTIONS for version in boundaries(op_of('ACTION', action))])
def test_actions(one: Servers, action: str, version: str) -> None:
    key = key_of(one)
    one.set(key, vm_state=BEGINS.get(action, 'active'), locked=action == 'unlock')
    one.moved(key)
    one.api.add_host('h2')
    one.api.rpc.answers['console_output'] = 'web login: \n'
    value = filled(one, ACTIONS[action]) if Version.of(version) >= SINCE.get(action, Version(2, 1)) else None
    answer = one.api('POST', f'/servers/{key}/action', {action: value}, version=version, token=ADMIN,
                     status=STATUS.get(action, 202))
    keep(f'actions/{action}-{version}', 'request', {action: value})
    if answer is not None:
        keep(f'actions/{action}-{version}', 'response', answer)


def test_operations(one: Servers) -> None:
    """The ledger's view of a server: a creation that failed in its third stage, and its stages."""
    key = key_of(one)
    with_times(one, key)
    listed = one.api('GET', f'/servers/{key}/operations', token=TOKEN, status=200)
    keep('operations/list', 'response', listed)
    number = listed['operations'][0]['id']
    keep('operations/show', 'response', one.api('GET', f'/servers/{key}/operations/{number}', token=TOKEN, status=200))
    keep('operations/all', 'response', one.api('GET', '/operations?state=failed', token=TOKEN, status=200))


def with_times(servers: Servers, key: str) -> None:
    """Put an operation with stages into the ledger, at times that do not change."""
    def write(connection: Any) -> None:
        opened = operations.insert(connection, Operation(
            request_id='req-30000000-0000-4000-8000-000000000001', kind='create', instance_uuid=key, project_id='p1',
            user_id='root', host='h1', owner='nova-compute@h1', deadline_at=TIME))
        for stage in ('networking', 'block_device_mapping'):
            operations.begin_stage(connection, operations.get(connection, opened.id), stage, 'h1')
        operations.end(connection, opened, FAILED, OperationError(
            code='image_too_large', message='Image has 20 GiB; the disk has 10', stage='block_device_mapping',
            hint='take a flavor with a larger disk'))
        times = {'created_at': TIME, 'started_at': TIME, 'updated_at': TIME, 'finished_at': TIME}
        connection.execute(tables.operations.update().values(times))
        connection.execute(tables.operation_events.update().values(started_at=TIME, finished_at=TIME))
    servers.api.db.transaction(write)
