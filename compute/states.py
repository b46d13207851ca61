"""The words for what a server is (vm_state), what goes on (task_state) and what the hypervisor says (power_state).

They are Nova's, because every client knows them. ``status()`` is the one place that turns them into the API's status.
"""

from __future__ import annotations

# power_state
NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SUSPENDED = 0, 1, 3, 4, 6, 7
POWER_NAMES = {NOSTATE: 'none', RUNNING: 'running', PAUSED: 'paused', SHUTDOWN: 'shutdown', CRASHED: 'crashed',
               SUSPENDED: 'suspended'}

# vm_state
ACTIVE = 'active'
BUILDING = 'building'
PAUSED_VM = 'paused'
SUSPENDED_VM = 'suspended'
STOPPED = 'stopped'
RESCUED = 'rescued'
RESIZED = 'resized'
SOFT_DELETED = 'soft-delete'
DELETED = 'deleted'
ERROR = 'error'
SHELVED = 'shelved'
SHELVED_OFFLOADED = 'shelved_offloaded'

VM_STATES = (ACTIVE, BUILDING, PAUSED_VM, SUSPENDED_VM, STOPPED, RESCUED, RESIZED, SOFT_DELETED, DELETED, ERROR,
             SHELVED, SHELVED_OFFLOADED)

# task_state
SCHEDULING = 'scheduling'
NETWORKING = 'networking'
BLOCK_DEVICE_MAPPING = 'block_device_mapping'
SPAWNING = 'spawning'
DELETING = 'deleting'
POWERING_OFF = 'powering-off'
POWERING_ON = 'powering-on'
REBOOTING = 'rebooting'
REBOOT_PENDING = 'reboot_pending'
REBOOT_STARTED = 'reboot_started'
REBOOTING_HARD = 'rebooting_hard'
REBOOT_PENDING_HARD = 'reboot_pending_hard'
REBOOT_STARTED_HARD = 'reboot_started_hard'
PAUSING, UNPAUSING = 'pausing', 'unpausing'
SUSPENDING, RESUMING = 'suspending', 'resuming'
RESIZE_PREP, RESIZE_MIGRATING = 'resize_prep', 'resize_migrating'
RESIZE_MIGRATED, RESIZE_FINISH = 'resize_migrated', 'resize_finish'
RESIZE_CONFIRMING, RESIZE_REVERTING = 'resize_confirming', 'resize_reverting'

ALLOW_SOFT_REBOOT = (ACTIVE,)
ALLOW_HARD_REBOOT = (ACTIVE, STOPPED, PAUSED_VM, SUSPENDED_VM, ERROR)
ALLOW_REBOOT_TASKS = (None, REBOOTING, REBOOT_PENDING, REBOOT_STARTED, RESUMING, REBOOTING_HARD, UNPAUSING, PAUSING,
                      SUSPENDING)

_STATUS = {
    ACTIVE: 'ACTIVE', BUILDING: 'BUILD', STOPPED: 'SHUTOFF', RESIZED: 'VERIFY_RESIZE', PAUSED_VM: 'PAUSED',
    SUSPENDED_VM: 'SUSPENDED', RESCUED: 'RESCUE', ERROR: 'ERROR', DELETED: 'DELETED', SOFT_DELETED: 'SOFT_DELETED',
    SHELVED: 'SHELVED', SHELVED_OFFLOADED: 'SHELVED_OFFLOADED',
}
_REBUILD = ('rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning')
_RESIZE = (RESIZE_PREP, RESIZE_MIGRATING, RESIZE_MIGRATED, RESIZE_FINISH)
_TASK_STATUS = {
    ACTIVE: {
        **dict.fromkeys((REBOOTING, REBOOT_PENDING, REBOOT_STARTED), 'REBOOT'),
        **dict.fromkeys((REBOOTING_HARD, REBOOT_PENDING_HARD, REBOOT_STARTED_HARD), 'HARD_REBOOT'),
        **dict.fromkeys(_REBUILD, 'REBUILD'), **dict.fromkeys(_RESIZE, 'RESIZE'),
        'updating_password': 'PASSWORD', 'migrating': 'MIGRATING',
    },
    STOPPED: {**dict.fromkeys(_RESIZE, 'RESIZE'), **dict.fromkeys(_REBUILD, 'REBUILD')},
    RESIZED: {RESIZE_REVERTING: 'REVERT_RESIZE'},
    PAUSED_VM: {'migrating': 'MIGRATING'},
    ERROR: dict.fromkeys(_REBUILD, 'REBUILD'),
}


def status(vm_state: str, task_state: str | None) -> str:
    """Return the status that the API shows for a pair of states."""
    return _TASK_STATUS.get(vm_state, {}).get(task_state or '', _STATUS.get(vm_state, 'UNKNOWN'))


def states_of_status(word: str) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Return the vm_states and task_states that show as ``word``: what a list filter by status asks for.

    The second member is None where any task_state will do. An unknown word gives ``((), None)``.
    """
    word = word.upper()
    tasks = {(vm, task) for vm, table in _TASK_STATUS.items() for task, shown in table.items() if shown == word}
    if tasks:
        return tuple(sorted({vm for vm, _ in tasks})), tuple(sorted({task for _, task in tasks}))
    return tuple(vm for vm, shown in _STATUS.items() if shown == word), None
