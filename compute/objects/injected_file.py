"""A file that a user puts into a server when it is made (``personality``, to microversion 2.56)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class InjectedFile:
    """``path`` in the guest; ``content`` in base64, without blanks."""

    path: str
    content: str = field(repr=False)
