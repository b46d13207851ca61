"""The identity daemon: Keystone's API over a store and a key repository of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from compute import metrics
from compute.builtin.identity.app import Identity
from compute.builtin.identity.db import attempts, revocations
from compute.builtin.identity.db.credential_rows import note_bindings
from compute.builtin.identity.db.exporter import identity
from compute.builtin.identity.db.tables import idempotency
from compute.builtin.identity.routes import RESOURCES, ROOT
from compute.concurrency import Periodic
from compute.db.migrate import upgrade
from compute.health import DOWN, Health, Probe, timed
from compute.policies.identity import RULES
from compute.rest.errors import identity_shape
from compute.rest.idempotency import Answers
from compute.rest.kernel import Api, Kernel
from compute.rest.mount import Mount, Wsgi
from compute.rest.policy import Policy
from compute.rest.tokens import TokenChecker

LOG = logging.getLogger(__name__)
VERSIONS, VERSION_TABLE = 'compute.builtin.identity.db.versions', 'identity_version'
_PRUNE_EVERY = 600.0


class IdentityDaemon:
    """Serves the Identity API; has no RPC."""

    name = 'identity'
    topic = None

    def __init__(self, conf: cfg.ConfigOpts, rpc: Any = None) -> None:
        self._conf = conf
        self.app = Identity(conf)
        self._answers = Answers(self.app.database, idempotency)
        self._prune: Periodic | None = None
        self._unwatch: Callable[[], Any] = bool
        self.watch = Health([self.app.database.probe(), Probe(
            'keys', timed(self.app.keys.public), failing=DOWN, public='The signing keys cannot be read')],
            conf.health.interval)

    def prepare(self) -> None:
        """Bring schema and rows up to date, and make the keys of tokens and credentials if there are none."""
        upgrade(self.app.database, VERSIONS, VERSION_TABLE)
        self.app.keys.ensure()
        self.app.credential_keys.ensure()
        note_bindings(self.app.database, self.app.credential_keys)

    def endpoints(self) -> list[Any]:
        """Return no RPC endpoints."""
        return []

    def applications(self) -> dict[str, Wsgi]:
        """Return the API under ``/v3`` and the list of versions at the root."""
        policy = Policy(self._conf, RULES)

        def kernel(resources: Any, prefix: str) -> Kernel:
            return Kernel(Api('identity', resources, self.app, policy, identity_shape, prefix, answers=self._answers))
        return {'identity': Mount({'/v3': kernel(RESOURCES, '/v3'), '': kernel((ROOT,), '')})}

    def check_token(self) -> TokenChecker:
        """Return the checker over this daemon's own keys and store."""
        return self.app.checker

    def listen(self) -> tuple[str, int]:
        """Return the address to serve on."""
        return self._conf.identity.listen_host, self._conf.identity.listen_port

    def start(self) -> None:
        """Begin to forget old revocations, counts of wrong passwords and answers from time to time."""
        self._prune = Periodic(self._forget, _PRUNE_EVERY, name='prune')
        self._prune.start()
        self.watch.start()
        self._unwatch = metrics.source('identity', lambda: identity(self.app.database), slow=True, fresh=15.0)

    def stop(self) -> None:
        """Stop periodic work and close the store."""
        self.watch.stop()
        self._unwatch()
        if self._prune is not None:
            self._prune.stop()
        self.app.database.dispose()

    def health(self) -> list[str]:
        """Return what does not work now: the store, the keys."""
        return self.watch.public_problems()

    def _forget(self) -> None:
        self.app.write(revocations.prune)
        self.app.write(attempts.prune)
        self._answers.forget(self._conf.idempotency_retention)
