"""A test cannot ask the stack that its reader has running."""

from __future__ import annotations

import socket

import pytest


def test_a_connection_to_a_default_port_fails() -> None:
    with socket.socket() as connection, pytest.raises(AssertionError, match='127.0.0.1:8774'):
        connection.connect(('127.0.0.1', 8774))
