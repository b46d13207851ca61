"""Keeps calls to this machine away from an HTTP proxy: ``http_proxy`` is meant for the world, not for neighbours."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

LOCAL = ('localhost', '127.0.0.1', '127.0.0.0/8', '::1', '[::1]')
_NAMES = ('no_proxy', 'NO_PROXY')


def bypass_for_this_machine(environment: MutableMapping[str, str] = os.environ) -> None:
    """Add the names of this machine to ``no_proxy``, which every HTTP library reads. Existing entries are kept."""
    if not any(name.lower().endswith('_proxy') and name not in _NAMES for name in environment):
        return
    given = next((environment[name] for name in _NAMES if environment.get(name)), '')
    known = [word.strip() for word in given.split(',') if word.strip()]
    if '*' in known:
        return
    value = ','.join([*known, *(word for word in LOCAL if word not in known)])
    environment.update(dict.fromkeys(_NAMES, value))
