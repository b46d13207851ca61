"""The end of a console's log: as many pieces between newlines as are asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from compute.worker.console import ConsolesEndpoint


class Log:
    """A driver whose guests have printed this much."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def console_output(self, instance: Any, max_bytes: int) -> bytes:
        return self.text[-max_bytes:]


@pytest.mark.parametrize(('text', 'lines', 'expected'), [
    ('one\ntwo\n', None, 'one\ntwo\n'), ('one\ntwo\n', -1, 'one\ntwo\n'), ('one\ntwo\n', 0, ''),
    ('one\ntwo\n', 1, ''), ('one\ntwo\n', 2, 'two\n'), ('one\ntwo\n', 3, 'one\ntwo\n'),
    ('one\ntwo\n', 9, 'one\ntwo\n'), ('one\ntwo', 1, 'two'), ('one\ntwo', 2, 'one\ntwo'), ('\n\n\n', 2, '\n'),
    ('', 1, ''), ('', 0, ''), ('login: \r\n', 2, 'login: \r\n')])
def test_the_end_has_as_many_pieces_as_asked_for(text: str, lines: int | None, expected: str) -> None:
    endpoint = ConsolesEndpoint(SimpleNamespace(worker=SimpleNamespace(console_log_bytes=100)),
                                Log(text.encode()))  # type: ignore[arg-type]
    found = endpoint.console_output(None, instance=None, lines=lines)  # type: ignore[arg-type]
    assert found == expected
    if lines is not None and lines > 0:
        assert len(found.split('\n')) == min(lines, len(text.split('\n')))
