"""Who may do what: oslo.policy defaults, one file per noun or action. ``list_rules()`` is the Compute API's."""

from __future__ import annotations

import importlib
from typing import Any

COMPUTE = (
    'rules', 'aggregates', 'attach_interfaces', 'audit', 'availability_zones', 'confirm_resize', 'console_output',
    'create', 'delete', 'extensions', 'external_events', 'flavor_access', 'flavor_extra_specs', 'flavors',
    'force_delete', 'hypervisors', 'instance_actions', 'ips', 'keypairs', 'limits', 'lock', 'migrate_server',
    'migrations', 'operations', 'pause', 'quota_class_sets', 'quota_sets', 'reboot', 'resize', 'resume',
    'revert_resize', 'server_groups', 'server_metadata', 'server_security_groups', 'server_tags', 'servers',
    'service_health', 'services', 'start', 'stop', 'suspend', 'unlock', 'unpause', 'volumes_attachments')


def list_rules() -> list[Any]:
    """Return every rule of the Compute API; the generators of policy samples call this too."""
    return [rule for name in COMPUTE for rule in importlib.import_module(f'{__name__}.{name}').RULES]
