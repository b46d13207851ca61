"""Fixtures of the Compute API's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.compute.compute_cloud import ComputeApi


@pytest.fixture
def api(tmp_path: Any) -> Iterator[ComputeApi]:
    """A Compute API with an empty store."""
    served = ComputeApi(f'sqlite:///{tmp_path}/compute.sqlite')
    yield served
    served.close()
