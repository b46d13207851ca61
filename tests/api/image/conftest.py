"""The image daemon of a test."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.image.support import Images, make_conf


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[Callable[..., Images]]:
    """Makes daemons with the given options of ``[image]``, on one folder."""
    made: list[Images] = []

    def make(**options: Any) -> Images:
        made.append(Images(make_conf(tmp_path, **options)))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def images(site: Callable[..., Images]) -> Images:
    """A daemon with default options."""
    return site()
