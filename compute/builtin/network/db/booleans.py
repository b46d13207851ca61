"""Booleans as clients write them."""

from __future__ import annotations

from compute.exception import Invalid

_TRUE, _FALSE = ('true', '1', 'yes', 'on', 't', 'y'), ('false', '0', 'no', 'off', 'f', 'n')


def truth(name: str, value: str) -> bool:
    """Read a boolean as clients write it. :raises Invalid:"""
    text = value.lower()
    if text not in _TRUE + _FALSE:
        raise Invalid(f'{name}: {value!r} is not a boolean')
    return text in _TRUE
