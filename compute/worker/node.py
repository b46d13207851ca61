"""The host's identity: a uuid in a file. The name is only a label; another host under this name is found out."""

from __future__ import annotations

import os
import uuid


def node_uuid(state_path: str, host: str) -> str:
    """Return the host's uuid, made at the first start and kept. :raises OSError: the folder cannot be written."""
    os.makedirs(state_path, mode=0o755, exist_ok=True)
    path = os.path.join(state_path, f'node-{host}')
    try:
        with open(path, encoding='ascii') as file:
            return str(uuid.UUID(file.read().strip()))
    except FileNotFoundError:
        pass
    fresh = str(uuid.uuid4())
    temporary = f'{path}.new'
    with open(temporary, 'w', encoding='ascii', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(f'{fresh}\n')
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return fresh
