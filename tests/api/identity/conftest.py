"""The identity daemon of a test."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.api.identity.cloud import Cloud


@pytest.fixture
def cloud(tmp_path: pathlib.Path) -> Iterator[Cloud]:
    """A fresh, bootstrapped identity."""
    made = Cloud(tmp_path)
    yield made
    made.daemon.stop()
