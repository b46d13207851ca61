"""DAEMON compute-image: the Image API v2 with a file store and a database of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compute import metrics
from compute.builtin.image import data, discovery, images, members, schemas
from compute.builtin.image.application import App
from compute.builtin.image.db.exporter import glance
from compute.builtin.image.db.tables import idempotency
from compute.builtin.image.store import FileStore
from compute.builtin.image.sweep import sweep
from compute.concurrency import Periodic
from compute.db.migrate import upgrade
from compute.db.session import Database
from compute.exception import Unavailable
from compute.health import DOWN, Health, Probe, timed, writable
from compute.policies.image import RULES
from compute.rest.errors import image_shape
from compute.rest.idempotency import Answers
from compute.rest.kernel import Api, Kernel
from compute.rest.middleware.auth import CheckToken
from compute.rest.mount import Mount, Wsgi
from compute.rest.policy import Policy
from compute.rest.router import streaming
from compute.rpc.interface import Interface

RESOURCES = (discovery.RESOURCE, images.RESOURCE, data.RESOURCE, members.RESOURCE, schemas.RESOURCE)
PREFIX = '/v2'
VERSION_TABLE = 'image_version'


class ImageDaemon:
    """Serves images. Any number of processes may run on one database and one shared store."""

    name = 'image'
    topic = None

    def __init__(self, conf: Any, rpc: Any = None) -> None:
        self._conf = conf
        self._options = conf.image
        self.db = Database(conf.database.image_connection, conf.database)
        self.store = FileStore(conf.image.store_path)
        self._answers = Answers(self.db, idempotency)
        self._periodic: Periodic | None = None
        self._unwatch: Callable[[], Any] = bool
        self.watch = Health([self.db.probe(), writable('disk', self.store.uploads), Probe(
            'store', timed(self._look_at_store), failing=DOWN, public='The image store cannot be written')],
            conf.health.interval)

    def prepare(self) -> None:
        """Bring schema and store up to date, and clean up after a death. :raises Unavailable: a store is missing."""
        upgrade(self.db, 'compute.builtin.image.db.versions', VERSION_TABLE)
        self.store.prepare()
        sweep(self.db, self.store)

    def endpoints(self) -> list[Interface]:
        """Return nothing: this daemon takes no RPC."""
        return []

    def applications(self) -> dict[str, Wsgi]:
        """Return the WSGI application, under the name that api-paste.ini uses."""
        policy = Policy(self._conf, RULES)
        app = App(self.db, self.store, self._options)
        return {'image': Mount({
            PREFIX: Kernel(Api('image', RESOURCES, app, policy, image_shape, PREFIX,
                               answers=self._answers, exact=True)),
            '': Kernel(Api('image versions', discovery.ROOT, app, policy, image_shape, '')),
        })}

    def check_token(self) -> CheckToken | None:
        """Return what checks tokens of the built-in identity."""
        from compute.rest.tokens import TokenChecker
        return TokenChecker(self._conf)

    is_stream = staticmethod(streaming(RESOURCES, PREFIX))
    """Tells from the WSGI environment whether a request moves the data of an image."""

    def listen(self) -> tuple[str, int]:
        """Return host and port."""
        return str(self._options.listen_host), int(self._options.listen_port)

    def start(self) -> None:
        """Begin to clean up regularly."""
        self._periodic = Periodic(self._sweep, self._options.cleanup_interval, name='image-sweep',
                                  immediately=False).start()
        self.watch.start()
        self._unwatch = metrics.source('image', lambda: glance(self.db), slow=True, fresh=15.0)

    def stop(self) -> None:
        """Stop cleaning up; connections are closed."""
        self.watch.stop()
        self._unwatch()
        if self._periodic is not None:
            self._periodic.stop()
            self._periodic.join(5)
        self.db.dispose()

    def health(self) -> list[str]:
        """Return what does not work now."""
        return self.watch.public_problems()

    def _look_at_store(self) -> None:
        if problem := self.store.problem():
            raise Unavailable(problem, code='store_unavailable')

    def _sweep(self) -> None:
        sweep(self.db, self.store)
        self._answers.forget(self._conf.idempotency_retention)
