"""What the handlers of identity work with: store, keys, passwords, and its own checker of tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from oslo_config import cfg
from sqlalchemy import Connection

from compute.builtin.identity.credential_keys import CredentialKeys
from compute.builtin.identity.db import revocations
from compute.builtin.identity.keys import KeyRepository
from compute.builtin.identity.passwords import Passwords
from compute.db.session import Database
from compute.rest.tokens import TokenChecker

T = TypeVar('T')


class Identity:
    """Handed to handlers as ``call.app``. Cheap to make: nothing is read yet."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.options = conf.identity
        self.database = Database(conf.database.identity_connection, conf.database)
        self.keys = repository(conf)
        self.credential_keys = CredentialKeys(conf.identity.key_repository)
        self.passwords = Passwords(conf.identity.password_hash_rounds)
        self.local = LocalSource(self)
        self.checker = TokenChecker(conf, self.local, fresh=True)

    def read(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run ``function(connection, ...)``, which only reads."""
        return self.database.read(lambda connection: function(connection, *args, **kwargs))

    def write(self, function: Callable[[Connection], T]) -> T:
        """Run ``function(connection)`` in one transaction."""
        return self.database.transaction(function)


class LocalSource:
    """Keys and revocations from the identity daemon's own folder and store; also what its public routes answer."""

    def __init__(self, app: Identity) -> None:
        self._app = app

    def keys(self) -> list[dict[str, str]]:
        """Return the public keys."""
        return self._app.keys.public()

    def revocations(self, since: int) -> dict[str, Any]:
        """Return a page of the revocations after ``since`` and the ids of the keys in force."""
        return {**self._app.read(revocations.since, since), 'kids': [key['kid'] for key in self.keys()]}


def repository(conf: cfg.ConfigOpts) -> KeyRepository:
    """Return the key repository of the configuration. Earlier keys stay as long as an expired token may be shown."""
    return KeyRepository(conf.identity.key_repository, conf.identity.token_lifetime + revocations.GRACE)
