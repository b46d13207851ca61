"""``personality``: the files that a request puts into a server, to microversion 2.56. Create and rebuild take it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from compute.api.schema import STRING
from compute.exception import Invalid
from compute.objects.injected_file import InjectedFile
from compute.rest.fields import ListOf, Required, fields

PERSONALITY = ListOf(fields(path=Required({**STRING, 'minLength': 1}), contents=Required(STRING)))


def files_of(body: dict[str, Any]) -> tuple[InjectedFile, ...]:
    """Return the files of a checked body. :raises Invalid: contents are not base64."""
    return tuple(InjectedFile(path=entry['path'], content=_base64(number, entry['contents']))
                 for number, entry in enumerate(body.get('personality', ())))


def _base64(number: int, text: str) -> str:
    content = ''.join(text.split())
    try:
        base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f'personality.{number}.contents is not valid base64.', code='invalid_base64') from None
    return content
