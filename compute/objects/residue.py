"""What lies on a host: guests, files of guests, wires. The auditor compares it with the ledger and with the ports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FoundGuest:
    """A guest of this controller as the hypervisor has it. ``power_state`` is an integer of ``compute.states``."""

    uuid: str
    name: str
    power_state: int


@dataclass(frozen=True, kw_only=True)
class Residue:
    """``stored`` are uuids of guests that have files on the host, whether the hypervisor knows them or not.

    ``aside`` are those of guests that were set aside by a move, until it is confirmed or reverted.
    """

    host: str
    guests: tuple[FoundGuest, ...] = ()
    stored: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wire:
    """What was made on a host for a port."""

    port_id: str
    network_id: str
