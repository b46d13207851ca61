"""Microversions: how a request names one, and windows of them.

An API without microversions (Identity, Image, Network) uses ``NEWEST`` throughout, at which every ``Since`` holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from compute.exception import ComputeError, Invalid


class Version(NamedTuple):
    """``2.19`` as a pair that compares by number."""

    major: int
    minor: int

    @classmethod
    def of(cls, text: str | Version) -> Version:
        """Read ``'2.19'``. :raises ValueError: anything else."""
        if isinstance(text, Version):
            return text
        if not re.fullmatch(r'[1-9]\d*\.(0|[1-9]\d*)', text):
            raise ValueError(f'{text!r} is no version of the form MAJOR.MINOR')
        major, minor = text.split('.')
        return cls(int(major), int(minor))

    def __str__(self) -> str:
        return f'{self.major}.{self.minor}'


NEWEST = Version(9999, 0)
OLDEST = Version(0, 0)


@dataclass(frozen=True)
class Window:
    """Versions from ``since`` to before ``until``."""

    since: Version = OLDEST
    until: Version = NEWEST._replace(minor=1)

    def __contains__(self, version: object) -> bool:
        return isinstance(version, Version) and self.since <= version < self.until


def window(since: str | None = None, until: str | None = None) -> Window:
    """Return the window that begins at ``since`` and ends before ``until``; either may be open."""
    return Window(Version.of(since) if since else OLDEST, Version.of(until) if until else Window().until)


class NotAcceptable(ComputeError):
    """The version asked for is out of range; the message names the range."""

    status, code = 406, 'version_not_supported'


@dataclass(frozen=True)
class Negotiation:
    """How one API's clients ask for a version: the service type in the common header, and an older header."""

    service: str
    minimum: Version
    maximum: Version
    legacy_header: str | None = None

    def choose(self, headers: Mapping[str, str]) -> Version:
        """Return the version of a request. :raises Invalid: malformed. :raises NotAcceptable: out of range."""
        text = self._asked(headers)
        if text is None:
            return self.minimum
        if text == 'latest':
            return self.maximum
        try:
            version = Version.of(text)
        except ValueError:
            raise Invalid(f'API Version String {text} is of invalid format. Must be of format '
                          f'MajorNum.MinorNum.') from None
        if not self.minimum <= version <= self.maximum:
            raise NotAcceptable(f'Version {version} is not supported by the API. Minimum is {self.minimum} and '
                                f'maximum is {self.maximum}.')
        return version

    def _asked(self, headers: Mapping[str, str]) -> str | None:
        for entry in (headers.get('OpenStack-API-Version') or '').split(','):
            service, _, version = entry.strip().partition(' ')
            if service.lower() == self.service and version:
                return version.strip().lower()
        if self.legacy_header and (value := headers.get(self.legacy_header)):
            return value.strip().lower()
        return None

    def headers(self, version: Version) -> list[tuple[str, str]]:
        """Return the headers that tell the client which version it got."""
        names = ['OpenStack-API-Version'] + ([self.legacy_header] if self.legacy_header else [])
        values = [('OpenStack-API-Version', f'{self.service} {version}')]
        if self.legacy_header:
            values.append((self.legacy_header, str(version)))
        return [*values, ('Vary', ', '.join(names))]
