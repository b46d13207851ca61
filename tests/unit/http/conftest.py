"""Both HTTP servers.

``GreenHttp`` is written with plain threads and is tried on them here; on green ones ``functional/test_http_end.py``
runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from compute import concurrency, http_server
from compute.http.rules import Rules
from compute.http_green import GreenHttp
from compute.http_server import HttpServer
from compute.http_threads import ThreadedHttp
from tests.unit.http.serving import SLOTS, Application, Start


@pytest.fixture
def application() -> Iterator[Application]:
    made = Application()
    yield made
    made.go.set()


@pytest.fixture(params=[GreenHttp] if concurrency.is_green() else [GreenHttp, ThreadedHttp])
def start(request: pytest.FixtureRequest, application: Application, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return what makes a server and, unless told otherwise, lets it begin."""
    monkeypatch.setattr(http_server, '_backend', request.param)
    made: list[HttpServer] = []

    def begin(begins: bool = True, **rules: Any) -> HttpServer:
        server = HttpServer(application, '127.0.0.1', 0, SLOTS, Rules(
            is_stream=lambda environ: '/file' in environ['PATH_INFO'], **rules))
        made.append(server)
        if begins:
            server.start()
        return server
    yield begin
    application.go.set()
    for server in made:
        server.stop()
