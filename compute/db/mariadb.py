"""Connections to MariaDB that share one TLS context.

PyMySQL uses TLS where the server offers it, without checking whom it speaks to unless the URL says so (``ssl_ca`` ...).
For each such connection it loads the machine's certificate authorities, which it then does not ask: 20 ms of processor
time and 0.8 MiB, measured, held as long as the connection.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any

from pymysql.connections import Connection


class LightConnection(Connection):  # type: ignore[type-arg]
    """A connection whose context, where nothing is to be checked, is the one of all."""

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        if sslp:
            context: ssl.SSLContext = super()._create_ssl_ctx(sslp)  # type: ignore[misc]
            return context
        return _unchecked()


@functools.cache
def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> LightConnection:
    """Open a connection: what SQLAlchemy's event ``do_connect`` asks for."""
    return LightConnection(*arguments, **options)
