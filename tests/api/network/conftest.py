"""The network daemon of a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.network.serving import Site


@pytest.fixture
def site() -> Iterator[Site]:
    """A fresh network daemon without RPC."""
    made = Site()
    yield made
    made.close()
