"""One running installation for all tests of this tier that do not kill it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.standalone import Client, Cloud, Standalone, running


@pytest.fixture(scope='session')
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with running(tmp_path_factory.mktemp('stack')) as stack:
        yield stack


@pytest.fixture(scope='session')
def client(stack: Standalone) -> Client:
    return Client(stack)


@pytest.fixture(scope='session')
def cloud(client: Client) -> Cloud:
    return Cloud(client)
