"""From names and values to an image: which are attributes, which additional properties, and how many there may be."""

from __future__ import annotations

import dataclasses
from typing import Any

from compute.builtin.image.fields import CREATE, SETTABLE
from compute.builtin.image.record import Image
from compute.exception import TooLarge
from compute.rest.fields import Validator
from compute.rest.versions import NEWEST

_CHECK = Validator(CREATE)


def build(image: Image, values: dict[str, Any]) -> Image:
    """Return ``image`` with ``values`` set: attributes by name, everything else as additional properties.

    A property whose value is None is removed.

    :raises Invalid: a value does not fit; the message names it.
    """
    _CHECK.check(NEWEST, values)
    attributes = {name: value for name, value in values.items() if name in SETTABLE}
    extra = {name: value for name, value in values.items() if name not in SETTABLE}
    if 'tags' in attributes:
        attributes['tags'] = tuple(sorted(dict.fromkeys(attributes['tags'])))
    properties = {name: value for name, value in {**image.properties, **extra}.items() if value is not None}
    return dataclasses.replace(image, **attributes, properties=properties)


def check_limits(image: Image, options: Any, old: Image | None = None) -> None:
    """:raises TooLarge: more properties or tags than allowed. What was too much before may stay, and shrink."""
    for what, limit, count, before in (
            ('properties', options.max_properties, len(image.properties), len(old.properties) if old else 0),
            ('tags', options.max_tags, len(image.tags), len(old.tags) if old else 0)):
        if count > limit and count > before:
            raise TooLarge(f'Image {image.id} would have {count} {what}; the limit is {limit}.', code=f'{what}_limit')
