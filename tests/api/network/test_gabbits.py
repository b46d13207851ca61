"""Runs the YAML tests of the Network API, each file against a fresh daemon."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

from gabbi import driver, fixture
from gabbi.driver import test_pytest  # noqa: F401

from tests.api.network.serving import Site

_site: list[Site] = []


class Fresh(fixture.GabbiFixture):
    """Gives each file a daemon of its own."""

    def start_fixture(self) -> None:
        _site.append(Site())

    def stop_fixture(self) -> None:
        _site.pop().close()


def application() -> Any:
    """Return what passes requests to the daemon of the file that runs."""
    return lambda environ, start: _site[-1].wsgi(environ, start)


def pytest_generate_tests(metafunc: Any) -> None:
    """Make a test of each request."""
    driver.py_test_generator(str(pathlib.Path(__file__).parent / 'gabbits'), intercept=application,
                             fixture_module=sys.modules[__name__], metafunc=metafunc, test_loader_name='network')
