"""The source of transfers: opens offers, and closes them."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from oslo_config import cfg

from compute import exception
from compute.objects.transfer import Offer
from compute.worker.transfer import certificate
from compute.worker.transfer.admission import Admission, plain_address
from compute.worker.transfer.listener import listen
from compute.worker.transfer.outgoing import Outgoing
from compute.worker.transfer.serving import OpenOffer
from compute.worker.transfer.throttle import Throttle


class Transfers:
    """The offers of this process. Each has a listener of its own; nothing listens when there is none.

    All of them together send no more than ``[worker] transfer_rate``.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf.worker
        self._throttle = Throttle(lambda: float(self._conf.transfer_rate))
        self._open: dict[str, OpenOffer] = {}
        self._stopped = False
        self._lock = threading.Lock()

    def offer(self, key: str, files: Mapping[str, Path], *, peers: tuple[str, ...], lifetime: float,
              backing: Mapping[str, str] | None = None) -> Offer:
        """Offer files to one client, until it has fetched them, for ``lifetime`` seconds at most.

        An offer with the same key is withdrawn. The files must not change until the transfer has ended. It blocks
        while it looks at the files; those with up to 1 MiB of data are read.

        :param files: by the names under which they arrive. :param peers: the IP addresses of the destination.
        :param backing: see ``Offer``.
        :raises Failed: ``disk_missing``, ``transfer_refused``: a file cannot be offered.
        :raises Unavailable: ``transfer_listen``: no address or port to listen on, or this process stops.
        """
        self.withdraw(key)
        token = secrets.token_urlsafe(32)
        admission = Admission(token, peers)
        outgoing = {name: Outgoing(name, path) for name, path in files.items()}
        context, fingerprint = certificate.server_context(lifetime)
        opened = OpenOffer(key, outgoing, admission, context, self._throttle, self._forget)
        listener, address = listen(self._conf.transfer_address, self._conf.transfer_ports, plain_address(peers[0]))
        port = listener.getsockname()[1]
        with ExitStack() as stack:
            stack.enter_context(listener)
            replaced = self._begin(opened, listener, lifetime)
            stack.pop_all()  # it is the offer's now
        if replaced is not None:
            replaced.close('another offer takes its place')
        return Offer(address=address, port=port, fingerprint=fingerprint, token=token,
                     files=tuple(each.offered for each in outgoing.values()), backing=dict(backing or {}))

    def _begin(self, opened: OpenOffer, listener: socket.socket, lifetime: float) -> OpenOffer | None:
        """Start an offer, and return the one that had its key. :raises Unavailable: this process stops."""
        with self._lock:
            if self._stopped:
                raise exception.Unavailable('this worker stops', code='transfer_listen')
            opened.start(listener, lifetime)
            replaced, self._open[opened.key] = self._open.get(opened.key), opened
        return replaced

    def withdraw(self, key: str) -> None:
        """Close an offer and end its connections. It is no error if there is none."""
        with self._lock:
            opened = self._open.get(key)
        if opened is not None:
            opened.close('it was withdrawn')
            opened.join()

    def active(self) -> int:
        """Return how many offers are open."""
        return len(self._open)

    def stop(self) -> None:
        """Close every offer and open no more."""
        with self._lock:
            self._stopped = True
            opened = list(self._open.values())
        for each in opened:
            each.close('this worker stops')
        for each in opened:
            each.join()

    def _forget(self, opened: OpenOffer) -> None:
        with self._lock:
            if self._open.get(opened.key) is opened:
                del self._open[opened.key]
