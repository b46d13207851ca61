"""When each kind of operation is allowed: every vm_state with every task_state, as states.md says."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from compute import context as ctx
from compute import exception, states
from compute.control.operation import check
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.kinds import KINDS
from compute.objects.kinds.reboot import HARD_REBOOT
from compute.objects.kinds.stop import STOP
from compute.objects.value import now

TASKS = (
    None, 'scheduling', 'networking', 'block_device_mapping', 'spawning', 'image_snapshot', 'image_snapshot_pending',
    'image_pending_upload', 'image_uploading', 'image_backup', 'updating_password', 'resize_prep', 'resize_migrating',
    'resize_migrated', 'resize_finish', 'resize_reverting', 'resize_confirming', 'rebooting', 'reboot_pending',
    'reboot_started', 'rebooting_hard', 'reboot_pending_hard', 'reboot_started_hard', 'pausing', 'unpausing',
    'suspending', 'resuming', 'powering-off', 'powering-on', 'rescuing', 'unrescuing', 'rebuilding',
    'rebuild_block_device_mapping', 'rebuild_spawning', 'migrating', 'deleting', 'soft-deleting', 'restoring',
    'shelving', 'shelving_image_pending_upload', 'shelving_image_uploading', 'shelving_offloading', 'unshelving')
IDLE = (None,)
REBOOT = (None, 'rebooting', 'reboot_pending', 'reboot_started', 'resuming', 'rebooting_hard', 'unpausing', 'pausing',
          'suspending')
# Kinds that are refused while the host of the server is down.
HOST_UP = {'resize', 'migrate', 'revert_resize'}
# kind, vm_states, task_states, has host, launched once
TABLE: list[tuple[str, tuple[str, ...], tuple[str | None, ...], bool, bool]] = [
    ('create', states.VM_STATES, TASKS, False, False),
    ('start', ('stopped',), IDLE, True, True),
    ('stop', ('active', 'error'), IDLE, True, True),
    ('reboot', ('active',), IDLE, True, True),
    ('reboot_hard', ('active', 'stopped', 'paused', 'suspended', 'error'), REBOOT, True, True),
    ('pause', ('active',), IDLE, True, True),
    ('unpause', ('paused',), IDLE, True, True),
    ('suspend', ('active',), IDLE, True, True),
    ('resume', ('suspended',), IDLE, True, True),
    ('resize', ('active', 'stopped'), IDLE, True, True),
    ('migrate', ('active', 'stopped'), IDLE, True, True),
    ('confirm_resize', ('resized',), IDLE, False, True),
    ('revert_resize', ('resized',), IDLE, True, True),
    ('delete', states.VM_STATES, TASKS, False, False)]
each_kind = pytest.mark.parametrize(('kind', 'vm_states', 'task_states', 'host', 'launched'), TABLE,
                                    ids=[row[0] for row in TABLE])
MEMBER = ctx.RequestContext(user_id='ann', project_id='p1', roles=['member'], overwrite=False)
ADMIN = ctx.RequestContext(user_id='root', project_id='p0', roles=['admin'], is_admin=True, overwrite=False)


def server(**values: Any) -> Instance:
    return Instance(**{'uuid': 'u', 'project_id': 'p1', 'user_id': 'ann', 'name': 'n', 'host': 'h',
                       'launched_at': now(), 'flavor': Flavor(flavorid='1', name='f', vcpus=1, memory_mb=1), **values})


def allowed(kind: str, instance: Instance, context: ctx.RequestContext = MEMBER) -> bool:
    try:
        check(KINDS[kind], instance, context)
    except exception.Conflict as error:
        assert error.status == 409 and 'u' in error.message
        return False
    return True


def test_the_words_are_all_there() -> None:
    assert len(TASKS) - 1 == 42 and len(states.VM_STATES) == 12
    assert sorted(row[0] for row in TABLE) == sorted(KINDS), 'each kind has its row'


@each_kind
def test_states(kind: str, vm_states: tuple[str, ...], task_states: tuple[str | None, ...], host: bool,
                launched: bool) -> None:
    for vm_state, task_state in itertools.product(states.VM_STATES, TASKS):
        expected = vm_state in vm_states and task_state in task_states
        assert allowed(kind, server(vm_state=vm_state, task_state=task_state)) is expected, (vm_state, task_state)


@each_kind
def test_host_and_launch(kind: str, vm_states: tuple[str, ...], task_states: tuple[str | None, ...], host: bool,
                         launched: bool) -> None:
    assert allowed(kind, server(vm_state=vm_states[0], host=None)) is not host
    assert allowed(kind, server(vm_state=vm_states[0], launched_at=None)) is not launched


@each_kind
def test_locks(kind: str, vm_states: tuple[str, ...], task_states: tuple[str | None, ...], host: bool,
               launched: bool) -> None:
    locked = server(vm_state=vm_states[0], locked=True)
    assert not allowed(kind, locked) and allowed(kind, locked, ADMIN)


@each_kind
def test_which_need_a_host_with_a_heartbeat(kind: str, vm_states: tuple[str, ...],
                                            task_states: tuple[str | None, ...], host: bool, launched: bool) -> None:
    """Whether it has one is looked up in the transaction: see test_moving.py of the conductor."""
    assert KINDS[kind].guard.needs_host_up is (kind in HOST_UP)
    assert not KINDS[kind].guard.needs_host_up or KINDS[kind].guard.needs_host


def test_a_refusal_names_attribute_value_and_what_would_do() -> None:
    with pytest.raises(exception.Conflict) as caught:
        check(STOP, server(vm_state='stopped'), MEMBER)
    assert caught.value.message == ("Cannot 'stop' instance u while it is in vm_state stopped (allowed: active, error)")
    with pytest.raises(exception.Conflict) as caught:
        check(STOP, server(vm_state='active', task_state='deleting'), MEMBER)
    assert 'task_state deleting (allowed: none)' in caught.value.message
    with pytest.raises(exception.Conflict) as caught:
        check(HARD_REBOOT, server(vm_state='building'), MEMBER)
    assert caught.value.message.startswith("Cannot 'reboot' instance u while it is in vm_state building"), \
        'users know one verb of both kinds'
