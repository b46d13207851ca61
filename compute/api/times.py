"""How times are written in this API: whole seconds and Z, or, in places that are older, fractions and no Z."""

from __future__ import annotations

import datetime


def stamp(time: datetime.datetime | None) -> str | None:
    """Return ``2026-11-20T12:00:00Z``. A page has thousands of times; ``strftime`` takes ten times as long."""
    return f'{time.isoformat()[:19]}Z' if time is not None else None


def precise(time: datetime.datetime | None) -> str | None:
    """Return ``2026-11-20T12:00:00.000000``: strict clients parse six digits, and no zone."""
    return f'{time.isoformat()[:19]}.000000' if time is not None else None
