"""Users see a code and one safe sentence; hosts, paths, URLs and the words of other programs are for administrators.

The sentence is safe by construction: it is the meaning of the code, or was written for users where the error is made.
"""

from __future__ import annotations

import ast
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import libvirt
import pytest
import requests

from compute import exception
from compute.api import operations
from compute.api.servers import view
from compute.clients import faults, nics
from compute.clients.network import _binding_failed
from compute.conductor import ending
from compute.objects.error_codes import CODES, meaning
from compute.objects.nic import Nic
from compute.objects.operation import OperationError
from compute.objects.value import decode, encode
from compute.rest.errors import compute_shape, for_caller
from compute.scheduler.decide import Decision, Drop, Rejection
from compute.virt import download
from compute.virt.libvirt import lifecycle, qemu_img, vif
from compute.virt.libvirt.host import translated
from compute.virt.libvirt.xml.interface import interface
from compute.worker import failures
from compute.worker.events import EventBook

ROOT = Path(__file__).parents[3] / 'compute'
# What only operators may see: a path, a host, a URL, the emulator, words of libvirt and qemu-img.
SECRETS = ('/var/lib/compute/instances/x/disk', 'node-17.internal', 'http://10.1.2.3:9696/v2.0',
           '/usr/bin/qemu-system-x86_64', 'internal error: process exited', 'qemu-img: Could not open')
ALL = ' '.join(SECRETS)
NIC = Nic(port_id='p-1', network_id='n-1', network_name='net1', mac='52:54:00:00:00:01', vif_type='tap',
          device='tapnode-17.in')


def sees(error: OperationError, admin: bool) -> str:
    """Return all that a user, or an administrator, is shown of an error: fault, operation, and the body of an API."""
    fault = ending.fault_of(decode(OperationError, encode(error)))
    shown = view._fault(fault, SimpleNamespace(admin=admin))  # type: ignore[arg-type]
    return f'{shown} {operations._error(error, admin)}'


def answer(error: exception.ComputeError, admin: bool) -> str:
    """Return the body of the answer when an API meets an error."""
    found = for_caller(error, admin)
    return str(compute_shape(found.status, found.message, found))


def raised(call: Callable[[], Any]) -> Any:
    try:
        call()
    except exception.ComputeError as error:
        return error
    raise AssertionError('nothing was raised')


def libvirt_error(code: int) -> Any:
    error = libvirt.libvirtError(ALL)
    error.err = (code, libvirt.VIR_FROM_QEMU, ALL, 2, None, None, None, 0, 0)
    return translated(error)


def response(status: int, body: Any, own: bool = True) -> Any:
    made = requests.Response()
    made.status_code, made.url = status, SECRETS[2]
    made.json = lambda **more: body  # type: ignore[method-assign]
    return faults.from_response('network', SECRETS[2], made, own)


def plug_timeout() -> Any:
    with EventBook().expect('u', 'network-vif-plugged') as expected:
        expected.need(ALL)
        expected.wait(-1, lambda: None, lambda tag: None)


ERRORS: dict[str, Callable[[], Any]] = {
    'libvirt': lambda: libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR),
    'libvirt, no guest': lambda: libvirt_error(libvirt.VIR_ERR_NO_DOMAIN),
    'guest did not start': lambda: lifecycle.not_made(libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR), ''),
    'definition refused': lambda: lifecycle.not_made(libvirt_error(libvirt.VIR_ERR_XML_ERROR), ''),
    'disks': lambda: lifecycle.not_made(OSError(errno.EIO, ALL), ''),
    'disk full': lambda: qemu_img.from_os_error(OSError(errno.ENOSPC, ALL)),
    'qemu-img': lambda: qemu_img.disk_full(ALL),
    'image of another format': lambda: download.bad_format(SimpleNamespace(id='i'), 'it is odd', ALL),  # type: ignore[arg-type]
    'corrupt image': lambda: download.corrupt(SimpleNamespace(id='i'), 'it is odd', ALL),  # type: ignore[arg-type]
    'tap missing': lambda: raised(lambda: vif.check_plugged((NIC,))),
    'kind of port': lambda: raised(lambda: interface(
        Nic(port_id='p', network_id='n', mac='m', vif_type=ALL), 'virtio')),
    'binding': lambda: _binding_failed({'id': 'p', 'binding:vif_type': ALL}, SECRETS[1]),
    'wiring': lambda: raised(plug_timeout),
    'neighbour refuses': lambda: response(409, {'NeutronError': {'type': 'SomeConflict', 'message': ALL}}),
    'neighbour forbids': lambda: response(403, {'NeutronError': {'type': 'PolicyNotAuthorized', 'message': ALL}}),
    'neighbour has no room': lambda: response(409, {'NeutronError': {'type': 'OverQuota', 'message': ALL}}),
    'neighbour refuses a caller in silence': lambda: response(409, {}, own=False),
    'neighbour fails': lambda: response(500, {'message': ALL}),
    'neighbour is silent': lambda: exception.Unavailable(ALL, code='network_unavailable', hint=ALL),
    'left behind': lambda: failures.left_behind(exception.Failed(ALL), OSError(ALL)),
}


@pytest.mark.parametrize('name', ERRORS)
def test_what_hosts_and_neighbours_say_is_for_administrators(name: str) -> None:
    error = ERRORS[name]()
    for made in (failures.as_value(error, 'spawning'), ending.error_of(error, 'spawning')):
        told = sees(made, admin=False)
        assert made.code in told and made.shown in told
        assert not [secret for secret in (*SECRETS, NIC.device) if secret in told], told
        assert error.message[:20] in sees(made, admin=True)


@pytest.mark.parametrize('name', ERRORS)
def test_an_api_that_meets_them_tells_no_more(name: str) -> None:
    error = ERRORS[name]()
    if isinstance(error, exception.NotFound):
        from compute.objects.error_codes import shielded
        error = shielded(error)  # as where the API asks a host: control/instances/console_output.py
    told = answer(error, admin=False)
    assert error.code in told and not [secret for secret in (*SECRETS, NIC.device) if secret in told], told
    assert error.message[:20] in answer(error, admin=True)


def test_unforeseen_errors_show_their_kind_to_nobody() -> None:
    for make in (failures.as_value, ending.error_of):
        told = sees(make(KeyError(ALL), 'spawning'), admin=False)
        assert meaning('internal') in told and not [secret for secret in SECRETS if secret in told]
    full = failures.as_value(OSError(errno.ENOSPC, ALL), 'spawning')
    assert meaning('disk_full') in sees(full, admin=False) and SECRETS[0] not in sees(full, admin=False)


def test_no_host_is_named_where_none_fits() -> None:
    drop = Drop(filter='RamFilter', count=1, summary='1 lacks RAM', hint=SECRETS[1],
                rejections=(Rejection(host=SECRETS[1], filter='RamFilter', reason=SECRETS[1]),))
    error = ending.error_of(Decision(considered=1, drops=(drop,)).error(5), 'scheduling')
    assert '1 lacks RAM' in sees(error, admin=False) and SECRETS[1] not in sees(error, admin=False)
    assert SECRETS[1] in sees(error, admin=True)


def test_words_of_ours_for_users_are_shown() -> None:
    port, image = nics.port_of({'id': 'p', 'network_id': 'n', 'device_id': 'x'}), SimpleNamespace(id='i')
    for error in (download.corrupt(image, '3 bytes came where 4 were announced'),  # type: ignore[arg-type]
                  raised(lambda: nics.check_free(port, 's', ''))):
        assert error.message in sees(OperationError.of(error, ''), admin=False)


@pytest.mark.parametrize('code', [*CODES, 'of_another_service'])
def test_an_error_without_words_for_users_shows_the_meaning_of_its_code(code: str) -> None:
    """So does one that a worker of the release before reports, or that stands in a row of before."""
    old = decode(OperationError, {'code': code, 'message': ALL, 'hint': ALL, 'stage': 'spawning'})
    told = sees(old, admin=False)
    assert meaning(code) in told and not [secret for secret in SECRETS if secret in told]
    assert '/' not in meaning(code) and '[' not in meaning(code)


def _for_users() -> Iterator[tuple[str, ast.Call, ast.expr, ast.AST]]:
    for path in sorted(ROOT.rglob('*.py')):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    for keyword in node.keywords:
                        if keyword.arg == 'for_users':
                            yield f'{path.relative_to(ROOT)}:{node.lineno}', node, keyword.value, function


def test_no_sentence_for_users_is_made_of_a_host_a_path_or_the_words_of_another() -> None:
    seen = 0
    for where, _, value, function in _for_users():
        values = [value]
        if isinstance(value, ast.Name):
            values = [each.value for each in ast.walk(function) if isinstance(each, ast.Assign)
                      and any(getattr(target, 'id', '') == value.id for target in each.targets)]
        for each in values:
            names = {node.id for node in ast.walk(each) if isinstance(node, ast.Name)}
            names |= {node.attr for node in ast.walk(each) if isinstance(node, ast.Attribute)}
            assert not names & {'host', 'path', 'url', 'reason', 'stderr', 'found', 'message'}, where
            seen += 1
    assert seen > 8
