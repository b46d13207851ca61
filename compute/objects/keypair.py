"""A key pair: the public half of a user's key, which servers are given at boot."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

SSH, X509 = 'ssh', 'x509'


@dataclass(frozen=True, kw_only=True)
class Keypair:
    """``public_key`` is an OpenSSH line or a PEM certificate; ``fingerprint`` is hex pairs with colons."""

    id: int = 0
    user_id: str
    name: str
    type: str = SSH
    fingerprint: str
    public_key: str
    created_at: datetime.datetime | None = None
