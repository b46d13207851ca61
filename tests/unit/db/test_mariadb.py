"""Connections to MariaDB: the TLS context is shared where it checks nothing, and made as asked where it does."""

from __future__ import annotations

import ssl

import certifi

from compute.db.mariadb import LightConnection


def connection(**options: object) -> LightConnection:
    """Return a connection that was not opened."""
    return LightConnection(defer_connect=True, **options)


def test_what_checks_nothing_is_shared() -> None:
    one, other = connection(), connection()
    assert one.ssl and one.ctx is other.ctx
    assert one.ctx.verify_mode == ssl.CERT_NONE and not one.ctx.check_hostname


def test_what_is_to_be_checked_is_checked() -> None:
    asked = connection(ssl_verify_cert=True, ssl_verify_identity=True, ssl_ca=certifi.where())
    assert asked.ctx is not connection().ctx
    assert asked.ctx.verify_mode == ssl.CERT_REQUIRED and asked.ctx.check_hostname


def test_tls_may_be_switched_off() -> None:
    assert not connection(ssl_disabled=True).ssl
