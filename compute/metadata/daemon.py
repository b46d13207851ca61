"""compute-metadata: serves guests through the network agents."""

from __future__ import annotations

from typing import Any

from compute.control.cloud import Cloud
from compute.exception import Unavailable
from compute.health import DOWN, Health, Probe
from compute.metadata.app import Metadata
from compute.rpc.interface import Interface


class MetadataDaemon:
    """What ``service.py`` runs."""

    name = 'metadata'
    topic = None

    def __init__(self, conf: Any, rpc: Any, cloud: Cloud | None = None) -> None:
        self._conf = conf
        self._cloud = cloud or Cloud(conf, rpc)
        self.watch = Health([self._cloud.db.probe(), Probe(
            'secret', self._has_secret, failing=DOWN, quick=True, public='[metadata] shared_secret is not set')],
            conf.health.interval)

    def prepare(self) -> None:
        """Bring the store to the newest schema."""
        self._cloud.migrate()

    def endpoints(self) -> list[Interface]:
        """Nobody calls this daemon over RPC."""
        return []

    def applications(self) -> dict[str, Any]:
        """Return the application under the name of its pipeline."""
        return {self.name: Metadata(self._cloud)}

    def check_token(self) -> None:
        """Guests have no tokens."""

    def listen(self) -> tuple[str, int]:
        """Return address and port to serve at."""
        return self._conf.metadata.listen_host, self._conf.metadata.listen_port

    def start(self) -> None:
        """Begin to watch what it depends on."""
        self.watch.start()

    def stop(self) -> None:
        """Close the store's connections."""
        self.watch.stop()
        self._cloud.close()

    def health(self) -> list[str]:
        """Return what keeps it from serving."""
        return self.watch.public_problems()

    def _has_secret(self) -> None:
        if not self._conf.metadata.shared_secret:
            raise Unavailable('[metadata] shared_secret is not set')
