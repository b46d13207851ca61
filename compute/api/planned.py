"""Planned actions of the Compute API. They answer 501; an unknown action answers 400.

An action leaves this table in the change that builds it. Microversions are those at which the API has the action.
"""

from __future__ import annotations

from compute.rest.op import Op, Resource

_SINCE = {'trigger_crash_dump': '2.17'}
_UNTIL = {
    **dict.fromkeys(('addFloatingIp', 'removeFloatingIp', 'addFixedIp', 'removeFixedIp'), '2.44'),
    **dict.fromkeys(('os-getVNCConsole', 'os-getSPICEConsole', 'os-getSerialConsole'), '2.6'),
}

SERVER_ACTIONS = (
    'addFixedIp', 'addFloatingIp', 'addSecurityGroup', 'changePassword', 'createBackup', 'createImage',
    'evacuate', 'injectNetworkInfo', 'os-getSPICEConsole', 'os-getSerialConsole', 'os-getVNCConsole',
    'os-migrateLive', 'os-resetState', 'rebuild', 'removeFixedIp', 'removeFloatingIp', 'removeSecurityGroup',
    'rescue', 'restore', 'shelve', 'shelveOffload', 'trigger_crash_dump', 'unrescue',
    'unshelve')

# /os-volumes_boot mirrors some actions of /servers, until 2.103.
_MIRRORED = ('createImage', 'rebuild', 'trigger_crash_dump')

RESOURCES = (
    Resource('planned-server-actions', tuple(
        Op('ACTION', key, since=_SINCE.get(key), until=_UNTIL.get(key), planned=True) for key in SERVER_ACTIONS),
        actions='/servers/{id}/action'),
    Resource('planned-mirrored-actions', tuple(
        Op('ACTION', key, since=_SINCE.get(key), until='2.103', planned=True) for key in _MIRRORED),
        actions='/os-volumes_boot/{id}/action'),
    Resource('planned-aggregate-actions', tuple(
        Op('ACTION', key, planned=True) for key in ('add_host', 'remove_host', 'set_metadata')),
        actions='/os-aggregates/{id}/action'),
)
