"""Watches the broker as its users see it: a question to a server of ours goes through it, and so does the answer."""

from __future__ import annotations

from typing import Any

from compute.health import Probe


def broker(rpc: Any, topic: str, server: str | None = None, name: str = 'broker') -> Probe:
    """Return a probe of the round trip to ``server`` (None: any of the topic). A daemon asks itself where it can.

    Without the broker a daemon stays in service: what users ask for is a row first, and the reaper sends it again.
    """
    return Probe(name, lambda: rpc.ping(topic, server), slow_above=2.0, patience=15.0,
                 reason='a question and its answer took {value:.1f} s')
