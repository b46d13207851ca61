"""What holds for all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.hermetic import forbid_default_ports

_ANY_TIME = {'deadline': None, 'database': None, 'suppress_health_check': [HealthCheck.too_slow]}
settings.register_profile('gate', derandomize=True, **_ANY_TIME)  # the same examples in every run
settings.register_profile('endurance', print_blob=True, **_ANY_TIME)
settings.load_profile(os.environ.get('COMPUTE_TEST_EXAMPLES', 'gate'))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep colons out of the names of tests: gabbi's pytest plugin takes every name with one for a test of its own."""
    if ':' in item.name and 'gabbi' not in item.path.name and item.parent is not None:
        item.name = item.name.replace(':', '-')
        item._nodeid = f'{item.parent.nodeid}::{item.name}'


def pytest_configure() -> None:
    """Keep the tests of this process on ports of their own."""
    forbid_default_ports()
