"""When each verb is allowed: every vm_state with every task_state, as states.md says."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from compute import context as ctx
from compute import exception, states
from compute.control.instances import delete, reboot, start, stop
from compute.control.operation import Guard
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
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
# verb, guard, vm_states, task_states, has host, launched once
TABLE: list[tuple[str, Guard, tuple[str, ...], tuple[str | None, ...], bool, bool]] = [
    ('start', start.GUARD, ('stopped',), IDLE, True, True),
    ('stop', stop.GUARD, ('active', 'error'), IDLE, True, True),
    ('reboot soft', reboot.GUARDS['SOFT'], ('active',), IDLE, True, True),
    ('reboot hard', reboot.GUARDS['HARD'], ('active', 'stopped', 'paused', 'suspended', 'error'), REBOOT, True, True),
    ('delete', delete.GUARD, states.VM_STATES, TASKS, False, False)]
each_verb = pytest.mark.parametrize(('verb', 'guard', 'vm_states', 'task_states', 'host', 'launched'), TABLE,
                                    ids=[row[0] for row in TABLE])
MEMBER = ctx.RequestContext(user_id='ann', project_id='p1', roles=['member'], overwrite=False)
ADMIN = ctx.RequestContext(user_id='root', project_id='p0', roles=['admin'], is_admin=True, overwrite=False)


def server(**values: Any) -> Instance:
    return Instance(**{'uuid': 'u', 'project_id': 'p1', 'user_id': 'ann', 'name': 'n', 'host': 'h',
                       'launched_at': now(), 'flavor': Flavor(flavorid='1', name='f', vcpus=1, memory_mb=1), **values})


def allowed(guard: Guard, instance: Instance, context: ctx.RequestContext = MEMBER) -> bool:
    try:
        guard.check('do', instance, context)
    except exception.Conflict as error:
        assert error.status == 409 and 'u' in error.message
        return False
    return True


def test_the_words_are_all_there() -> None:
    assert len(TASKS) - 1 == 42 and len(states.VM_STATES) == 12


@each_verb
def test_states(verb: str, guard: Guard, vm_states: tuple[str, ...], task_states: tuple[str | None, ...], host: bool,
                launched: bool) -> None:
    for vm_state, task_state in itertools.product(states.VM_STATES, TASKS):
        expected = vm_state in vm_states and task_state in task_states
        assert allowed(guard, server(vm_state=vm_state, task_state=task_state)) is expected, (vm_state, task_state)


@each_verb
def test_host_and_launch(verb: str, guard: Guard, vm_states: tuple[str, ...], task_states: tuple[str | None, ...],
                         host: bool, launched: bool) -> None:
    assert allowed(guard, server(vm_state=vm_states[0], host=None)) is not host
    assert allowed(guard, server(vm_state=vm_states[0], launched_at=None)) is not launched


@each_verb
def test_locks(verb: str, guard: Guard, vm_states: tuple[str, ...], task_states: tuple[str | None, ...], host: bool,
               launched: bool) -> None:
    locked = server(vm_state=vm_states[0], locked=True)
    assert not allowed(guard, locked) and allowed(guard, locked, ADMIN)


def test_a_refusal_names_attribute_value_and_what_would_do() -> None:
    with pytest.raises(exception.Conflict) as caught:
        stop.GUARD.check('stop', server(vm_state='stopped'), MEMBER)
    assert caught.value.message == ("Cannot 'stop' instance u while it is in vm_state stopped (allowed: active, error)")
    with pytest.raises(exception.Conflict) as caught:
        stop.GUARD.check('stop', server(vm_state='active', task_state='deleting'), MEMBER)
    assert 'task_state deleting (allowed: none)' in caught.value.message
