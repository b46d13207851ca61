"""Who asks: the server named by the network agent, whose signature a guest cannot make."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from compute import exception


def signature(secret: str, instance_id: str) -> str:
    """Return what an agent that knows the secret sends with the id of a server."""
    return hmac.new(secret.encode(), instance_id.encode(), hashlib.sha256).hexdigest()


def caller(environ: dict[str, Any], secret: str) -> tuple[str, str | None]:
    """Return the uuid and project that a trusted agent names.

    :raises NotFound: no server is named. :raises Forbidden: the signature is not the agent's.
    """
    instance_id = environ.get('HTTP_X_INSTANCE_ID', '')
    if not instance_id:
        raise exception.NotFound('The request names no server: it did not come through a network agent')
    given = environ.get('HTTP_X_INSTANCE_ID_SIGNATURE', '')
    if not secret or not hmac.compare_digest(given.encode(), signature(secret, instance_id).encode()):
        raise exception.Forbidden('The request is not signed by a network agent of this cloud', code='bad_signature')
    return instance_id, environ.get('HTTP_X_TENANT_ID') or None
