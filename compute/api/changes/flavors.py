"""How flavors were shown before."""

from __future__ import annotations

from typing import Any


def swap_was_empty(flavor: dict[str, Any]) -> dict[str, Any]:
    """No swap is 0; before, it was an empty string."""
    return {**flavor, 'swap': flavor['swap'] or ''}


CHANGES = (('2.75', swap_was_empty),)
