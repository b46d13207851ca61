"""Read one value out of image properties or flavor extra specs, or say what is wrong with it and what would be right.

All errors are ``Failed`` with code ``bad_property``: no other host would take the same image and flavor either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compute import exception
from compute.objects.instance import Instance

_TRUE = ('1', 't', 'true', 'on', 'y', 'yes')
_FALSE = ('0', 'f', 'false', 'off', 'n', 'no')


@dataclass(frozen=True)
class Properties:
    """The values of one source; ``source`` names it in errors, for example ``image`` or ``flavor m1.small``."""

    source: str
    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """Return the value, or None where it is missing or empty."""
        return self.values.get(name) or None

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """Return the value if it is one of ``allowed``. :raises Failed: it is another."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise self.error(name, f'one of {", ".join(allowed)}')
        return value

    def flag(self, name: str) -> bool | None:
        """Return the value as a truth. :raises Failed: it is none."""
        value = (self.text(name) or '').lower()
        if value not in ('', *_TRUE, *_FALSE):
            raise self.error(name, 'true or false')
        return value in _TRUE if value else None

    def number(self, name: str, low: int, high: int) -> int | None:
        """Return the value as an integer from ``low`` to ``high``. :raises Failed: it is none or outside."""
        value = self.text(name)
        if value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise self.error(name, f'an integer from {low} to {high}')
        return number

    def error(self, name: str, wanted: str) -> exception.Failed:
        """Return the error for a value that is not what it should be."""
        text = f'{self.source}: {name} is {self.values.get(name)!r}; it takes {wanted}'
        return exception.Failed(text, code='bad_property', for_users=text,
                                hint=f'correct {name} of the {self.source.split(" ")[0]}')


def of_image(instance: Instance) -> Properties:
    """Return the image's properties; none for a server without an image."""
    image = instance.image
    return Properties(f'image {image.id}', image.properties) if image else Properties('image', {})


def of_flavor(instance: Instance) -> Properties:
    """Return the flavor's extra specs."""
    return Properties(f'flavor {instance.flavor.name}', instance.flavor.extra_specs)
