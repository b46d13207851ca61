"""How server groups were asked for and shown before."""

from __future__ import annotations

from typing import Any


def policy_was_a_list(group: dict[str, Any]) -> dict[str, Any]:
    """A group has one policy and rules; before, it had a list of policies and metadata nobody used."""
    old = {key: value for key, value in group.items() if key not in ('policy', 'rules')}
    return {**old, 'policies': [group['policy']], 'metadata': {}}


def lift_policies(group: dict[str, Any]) -> dict[str, Any]:
    """Take the only policy of the list."""
    return {'name': group['name'], 'policy': group['policies'][0]}


CHANGES = (('2.64', policy_was_a_list),)
LIFTS = (('2.64', lift_policies),)
