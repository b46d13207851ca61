"""What holds for all tests."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep colons out of the names of tests: gabbi's pytest plugin takes every name with one for a test of its own."""
    if ':' in item.name and 'gabbi' not in item.path.name and item.parent is not None:
        item.name = item.name.replace(':', '-')
        item._nodeid = f'{item.parent.nodeid}::{item.name}'
