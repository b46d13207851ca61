"""An event that a neighbour sent about a server (os-server-external-events)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ExternalEvent:
    """``tag`` names the port or volume; ``status`` is completed, failed or in-progress."""

    instance_uuid: str
    name: str
    tag: str = ''
    status: str = 'completed'
