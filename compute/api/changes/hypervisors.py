"""How hypervisors were shown before."""

from __future__ import annotations

from typing import Any

import orjson


def cpu_was_text(hypervisor: dict[str, Any]) -> dict[str, Any]:
    """The CPU is an object; before, it was that object as a string."""
    if 'cpu_info' not in hypervisor:
        return hypervisor
    return {**hypervisor, 'cpu_info': orjson.dumps(hypervisor['cpu_info']).decode()}


def no_servers_were_left_out(hypervisor: dict[str, Any]) -> dict[str, Any]:
    """Whoever asks for servers gets a list; before, a hypervisor without any had no such key."""
    if hypervisor.get('servers') == []:
        return {key: value for key, value in hypervisor.items() if key != 'servers'}
    return hypervisor


CHANGES = (('2.28', cpu_was_text), ('2.75', no_servers_were_left_out))
