"""Runs the YAML of this folder's ``gabbits`` against a daemon of its own for each file."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from gabbi import driver, fixture
from gabbi.driver import test_pytest  # noqa: F401  (what the YAML tests are run by)

from tests.api.image.support import Images, make_conf

_running: dict[str, Images] = {}


class ImageFixture(fixture.GabbiFixture):
    """An image daemon for the tests of one file."""

    def start_fixture(self) -> None:
        """Make it."""
        self._folder = tempfile.TemporaryDirectory()
        _running['now'] = Images(make_conf(self._folder.name))

    def stop_fixture(self) -> None:
        """Remove it."""
        _running.pop('now').close()
        self._folder.cleanup()


def application() -> Any:
    """Return what gabbi sends its requests to."""
    return lambda environ, start_response: _running['now'].wsgi(environ, start_response)


def pytest_generate_tests(metafunc: Any) -> None:
    """Make a test of each YAML test."""
    driver.py_test_generator(os.path.join(os.path.dirname(__file__), 'gabbits'), intercept=application,
                             fixture_module=sys.modules[__name__], metafunc=metafunc, test_loader_name='image')
