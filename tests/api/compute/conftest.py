"""Fixtures of the Compute API's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.compute.compute_cloud import ComputeApi
from tests.api.compute.serving import Servers


@pytest.fixture
def api(tmp_path: Any) -> Iterator[ComputeApi]:
    """A Compute API with an empty store."""
    served = ComputeApi(f'sqlite:///{tmp_path}/compute.sqlite')
    yield served
    served.close()


@pytest.fixture
def servers(api: ComputeApi) -> Servers:
    """What is needed to have servers."""
    return Servers(api)
