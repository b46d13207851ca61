"""The files of a server that moves to another host: offered by the source, fetched by the destination.

The destination notes in the folder of the files which offer they are of, so that a worker that was killed goes on with
the same offer when it starts again. Files that are there already are not fetched again.
"""

from __future__ import annotations

import json
import logging
import os
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from compute import concurrency, exception
from compute.objects.instance import Instance
from compute.objects.kinds.moving import MOVE_DEADLINE, MoveCarry, MovePlan
from compute.objects.transfer import Offer, OfferedFile
from compute.objects.value import decode, encode
from compute.virt.driver import Driver, ImageStream
from compute.worker.job import Job
from compute.worker.transfer.fetch import fetch, new_session
from compute.worker.transfer.source import Transfers

LOG = logging.getLogger(__name__)
_IMAGE = 'image.'
"""Before the id of an image: the name under which the source offers it, should the image service have lost it."""
_NOTES = '.transfer'
_CHUNK = 1024 * 1024


class MovedFiles:
    """Offers and fetches the files of servers, for the operations of one host."""

    def __init__(self, conf: Any, driver: Driver, transfers: Transfers) -> None:
        self._options, self._driver, self._transfers = conf.worker, driver, transfers

    # -- source --

    def offer(self, job: Job, plan: MovePlan, files: dict[str, pathlib.Path]) -> MoveCarry | None:
        """Offer the files of a guest that is set aside to the destination. None where nothing has to be transferred.

        :raises Failed: ``transfer_refused``: the destination has no address.
        """
        if not files or plan.source == plan.destination:
            return None
        if plan.destination_address is None:
            raise exception.Failed(f'host {plan.destination} has reported no address from which it could fetch the '
                                   'disks', code='transfer_refused', hint='see [worker] transfer_address there')
        images = {f'{_IMAGE}{image_id}': path
                  for image_id, path in self._driver.cached_images(job.instance).items()}
        return MoveCarry(offer=self._transfers.offer(
            job.ref.instance_uuid, {**files, **images}, peers=(plan.destination_address,), lifetime=MOVE_DEADLINE))

    def withdraw(self, uuid: str) -> None:
        """Close the offer of a server, if there is one."""
        self._transfers.withdraw(uuid)

    # -- destination --

    def fetch(self, job: Job, instance: Instance, offer: Offer, *, images: bool) -> dict[str, pathlib.Path]:
        """Fetch what is offered and return the files by name. What another operation left of the guest is removed.

        :param images: fetch the images as well. :raises ComputeError: see ``transfer.fetch.fetch``.
        """
        arrival = self._arrival(instance, offer)
        wanted = [each for each in offer.files if images or not each.name.startswith(_IMAGE)]
        if not arrival.has(wanted):
            fetch(offer, arrival.folder, progress=_Progress(job), check=job.check, patience=self._options.patience,
                  address=self._options.transfer_address, names=[each.name for each in wanted],
                  session=arrival.notes.session)
        arrival.complete()
        return {each.name: arrival.folder / each.name for each in wanted if not each.name.startswith(_IMAGE)}

    def _arrival(self, instance: Instance, offer: Offer) -> _Arrival:
        arrival = _Arrival(self._folder(instance))
        if arrival.notes.fingerprint != offer.fingerprint:
            self._driver.destroy(instance)
            arrival = _Arrival(self._folder(instance))
            arrival.begin(offer)
        return arrival

    def _folder(self, instance: Instance) -> pathlib.Path:
        folder = self._driver.moves.incoming(instance)
        if folder is None:
            raise exception.Failed('the source offers disks, and the driver of this host has no place for any',
                                   code='transfer_refused', hint='use the same [virt] driver on both hosts')
        return folder

    def images(self, instance: Instance, offer: Offer) -> ImageStream:
        """Return a stream of images that were fetched from the source, for ``driver.Images.prepare``."""
        folder, names = self._folder(instance), {each.name for each in offer.files}

        def opened(image_id: str) -> Iterator[bytes]:
            if f'{_IMAGE}{image_id}' not in names:
                raise exception.NotFound(f'Image {image_id} could not be found; the host that the server leaves has '
                                         'lost it, too.', code='image_not_found')
            with (folder / f'{_IMAGE}{image_id}').open('rb') as file:
                while chunk := concurrency.offload(file.read, _CHUNK):
                    yield chunk
        return opened


@dataclass(frozen=True, kw_only=True)
class _Notes:
    """What a worker must know after it was started again.

    :param fingerprint: which offer it is. :param session: with which its source goes on. :param is_complete: all was
        fetched; files may have been changed since.
    """

    fingerprint: str = ''
    session: str = ''
    is_complete: bool = False


class _Arrival:
    """The folder of the files, with its notes."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self._path = folder, folder / _NOTES
        self.notes = _Notes()
        try:
            self.notes = decode(_Notes, json.loads(self._path.read_text()))
        except FileNotFoundError:
            pass
        except ValueError as error:  # of a host that lost its power
            LOG.warning('%s is not readable: %s', self._path, error)

    def begin(self, offer: Offer) -> None:
        """Note what is going to be fetched."""
        self._write(_Notes(fingerprint=offer.fingerprint, session=new_session()))

    def has(self, wanted: list[OfferedFile]) -> bool:
        """Return whether all files are here. They get their names when all of them are whole."""
        return all((self.folder / each.name).is_file() and (
            self.notes.is_complete or (self.folder / each.name).stat().st_size == each.size) for each in wanted)

    def complete(self) -> None:
        """Note that all was fetched."""
        if not self.notes.is_complete:
            self._write(_Notes(fingerprint=self.notes.fingerprint, session=self.notes.session, is_complete=True))

    def _write(self, notes: _Notes) -> None:
        part = self._path.with_suffix('.part')
        part.unlink(missing_ok=True)
        with open(part, 'x', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(encode(notes), file)
            file.flush()
            concurrency.offload(os.fsync, file.fileno())
        part.replace(self._path)
        self.notes = notes


class _Progress:
    """Logs how far a transfer is, a few times."""

    def __init__(self, job: Job) -> None:
        self._job, self._next = job, 10

    def __call__(self, done: int, total: int) -> None:
        percent = 100 if not total else done * 100 // total
        if percent >= self._next:
            self._next = percent - percent % 10 + 10
            LOG.info('%s: %d of %d MiB of its disks have come', self._job.ref, done >> 20, total >> 20)


def is_lost(error: exception.ComputeError) -> bool:
    """Return whether an error of the image service means that it has not got the data of an image (any more)."""
    return isinstance(error, (exception.NotFound, exception.Conflict, exception.Forbidden)) or (
        error.code == 'image_corrupt')
