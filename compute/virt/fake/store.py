"""What a fake host remembers: its guests and its cached images, in memory and optionally in files.

A guest is a few words, so that ten thousand of them fit in one process. With a state directory each guest is a file of
its own, written before the change is visible: a worker that is killed finds the same guests when it starts again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import time
from dataclasses import dataclass

from compute import states


@dataclass(slots=True)
class FakeGuest:
    """One guest.

    ``boots`` counts starts; ``listens`` is False for a guest that ignores a request to shut down; ``saved``: its memory
    is saved.
    """

    uuid: str
    name: str
    hostname: str = ''
    power_state: int = states.NOSTATE
    ours: bool = True
    memory_mb: int = 0
    vcpus: int = 0
    boots: int = 0
    image: str = ''
    mac: str = ''
    port: int = 0
    listens: bool = True
    saved: bool = False


class Store:
    """The guests by uuid, the images by id, and the images of guests that are set aside. Not locked: the driver does.
    """

    def __init__(self, directory: str = '') -> None:
        self.guests: dict[str, FakeGuest] = {}
        self.images: dict[str, float] = {}
        self.aside: dict[str, str] = {}
        self._directory = pathlib.Path(directory) if directory else None
        if self._directory is not None:
            self._load(self._directory)

    def _load(self, directory: pathlib.Path) -> None:
        for folder in ('images', 'aside'):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        self.aside = {path.name: path.read_text() for path in (directory / 'aside').iterdir()}
        for path in directory.glob('*.json'):
            guest = FakeGuest(**json.loads(path.read_text()))
            self.guests[guest.uuid] = guest
        self.images = {path.name: path.stat().st_mtime for path in (directory / 'images').iterdir()}

    def put(self, guest: FakeGuest) -> None:
        """Keep ``guest`` as it is now."""
        if self._directory is not None:
            path = self._directory / f'{guest.uuid}.json'
            scratch = path.with_suffix('.part')
            scratch.write_text(json.dumps(dataclasses.asdict(guest)))
            os.replace(scratch, path)
        self.guests[guest.uuid] = guest

    def remove(self, uuid: str) -> FakeGuest | None:
        """Forget a guest and return it; None when there was none."""
        if self._directory is not None:
            (self._directory / f'{uuid}.json').unlink(missing_ok=True)
        return self.guests.pop(uuid, None)

    def set_aside(self, guest: FakeGuest) -> None:
        """Note that a guest is set aside, and forget it."""
        if self._directory is not None:
            (self._directory / 'aside' / guest.uuid).write_text(guest.image)
        self.aside[guest.uuid] = guest.image
        self.remove(guest.uuid)

    def drop_aside(self, uuid: str) -> None:
        """Forget that a guest is set aside."""
        if self._directory is not None:
            (self._directory / 'aside' / uuid).unlink(missing_ok=True)
        self.aside.pop(uuid, None)

    def used_images(self) -> set[str]:
        """Return the images of all guests, of those that are set aside as well."""
        return {guest.image for guest in list(self.guests.values())} | set(list(self.aside.values()))

    def use_image(self, image_id: str) -> None:
        """Note that an image is cached and was used now."""
        self.images[image_id] = time.time()
        if self._directory is not None:
            (self._directory / 'images' / image_id).touch()

    def drop_image(self, image_id: str) -> None:
        """Forget a cached image."""
        self.images.pop(image_id, None)
        if self._directory is not None:
            (self._directory / 'images' / image_id).unlink(missing_ok=True)
