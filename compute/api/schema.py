"""Fragments of JSON Schema that several resources share, and how the loose spellings they allow are read."""

from __future__ import annotations

import ipaddress
from typing import Any

MAX_INT = 2147483647
MAX_NAME = 255

# Printable characters, with none of the blanks at either end.
NAME: dict[str, Any] = {'type': 'string', 'minLength': 1, 'maxLength': 255,
                        'pattern': r'^(?!\s)[^\x00-\x1f\x7f-\x9f]*(?<!\s)\Z'}
TEXT: dict[str, Any] = {'type': ['string', 'null'], 'minLength': 0, 'maxLength': 255,
                        'pattern': r'^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\Z'}
PROJECT_ID: dict[str, Any] = {'type': 'string', 'minLength': 1, 'maxLength': 255, 'pattern': r'^[a-zA-Z0-9-]*\Z'}
UUID: dict[str, Any] = {
    'type': 'string', 'pattern': r'^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\Z'}
USER_ID: dict[str, Any] = {'type': 'string', 'maxLength': 255}
HOST: dict[str, Any] = {'type': 'string', 'minLength': 1, 'maxLength': 255, 'pattern': r'^[a-zA-Z0-9-._]*\Z'}
STRING: dict[str, Any] = {'type': 'string'}
REGEX: dict[str, Any] = {'type': 'string', 'format': 'regex', 'maxLength': 255}
TIME: dict[str, Any] = {'type': 'string', 'format': 'isotime'}
COUNT: dict[str, Any] = {'type': 'string', 'pattern': '^[0-9]+$', 'maxLength': 10}
# Given to programs in the guest that read one line.
PASSWORD: dict[str, Any] = {'type': 'string', 'pattern': r'^[^\x00-\x1f\x7f]*\Z'}

_TRUE = (True, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes')
_FALSE = (False, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no')
BOOLEAN: dict[str, Any] = {'type': ['boolean', 'string'], 'enum': [*_TRUE, *_FALSE]}


def whole(minimum: int, maximum: int = MAX_INT) -> dict[str, Any]:
    """Return the schema of an integer that may also be given as a string of digits."""
    return {'type': ['integer', 'string'], 'pattern': r'^-?[0-9]+\Z' if minimum < 0 else r'^[0-9]+\Z',
            'minimum': minimum, 'maximum': maximum, 'minLength': 1, 'maxLength': 11}


def is_true(value: Any) -> bool:
    """Read a value that fits ``BOOLEAN``."""
    return value in _TRUE


def canonical_address(text: str) -> str:
    """Return an IP address in its canonical form (RFC 5952 for IPv6); return other texts unchanged."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(address) if mapped is None else f'::ffff:{mapped}'
