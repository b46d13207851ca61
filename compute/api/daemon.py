"""compute-api: serves the Compute API. It has no RPC topic; what it starts, it casts."""

from __future__ import annotations

from typing import Any

from compute.api.app import make_app
from compute.control.cloud import Cloud
from compute.health import Health
from compute.rest.middleware.auth import CheckToken
from compute.rest.mount import Wsgi
from compute.rest.tokens import TokenChecker


class ApiDaemon:
    """What ``service.py`` runs. ``cloud`` is given by tests and by a process that holds several daemons."""

    name = 'compute'
    topic = None

    def __init__(self, conf: Any, rpc: Any, cloud: Cloud | None = None) -> None:
        self.conf, self.rpc = conf, rpc
        self.cloud = cloud or Cloud(conf, rpc)
        self.watch = Health(self.cloud.probes(), conf.health.interval)

    def prepare(self) -> None:
        """Bring the store to the newest schema."""
        self.cloud.migrate()

    def endpoints(self) -> list[Any]:
        """Return nothing: nobody calls this daemon over RPC."""
        return []

    def applications(self) -> dict[str, Wsgi]:
        """Return the Compute API under the name of its pipeline."""
        return {self.name: make_app(self.cloud)}

    def check_token(self) -> CheckToken | None:
        """Return what checks built-in tokens."""
        return TokenChecker(self.conf)

    def listen(self) -> tuple[str, int]:
        """Return address and port to serve at."""
        return self.conf.api.listen_host, self.conf.api.listen_port

    def start(self) -> None:
        """Begin to watch what it depends on."""
        self.watch.start()

    def stop(self) -> None:
        """Close the store's connections."""
        self.watch.stop()
        self.cloud.close()

    def health(self) -> list[str]:
        """Return what keeps this daemon from serving: a store that does not answer.

        The broker is not asked: a request that needs it is answered 202 without it, its row is what counts.
        """
        return self.watch.public_problems()
