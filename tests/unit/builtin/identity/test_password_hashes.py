"""Hashes of passwords."""

from __future__ import annotations

import pytest

from compute.builtin.identity.passwords import Passwords


@pytest.mark.parametrize('password', ['x', 'p' * 72, 'p' * 5000, 'pässwörd', 'nul\0byte', ''])
def test_fits_itself_only(password: str) -> None:
    passwords = Passwords(4)
    hashed = passwords.hash(password)
    assert hashed.startswith('$2b$04$')
    assert passwords.fits(password, hashed)
    assert not passwords.fits(password + 'x', hashed)


def test_more_than_72_bytes_count() -> None:
    passwords = Passwords(4)
    assert not passwords.fits('p' * 73, passwords.hash('p' * 72))


def test_salted() -> None:
    assert Passwords(4).hash('same') != Passwords(4).hash('same')


def test_nobody() -> None:
    assert not Passwords(4).fits('nobody', None)
