"""The disks of a fake host's guests, where it has a state directory: a small file each, so that moves have something to
transfer. Without one no guest has a disk."""

from __future__ import annotations

import pathlib
import shutil

DISK = 'disk'
ASIDE, INCOMING = '_resize', '_incoming'


class FakeDisks:
    """A folder for each guest; one that was set aside, or comes from another host, has another name. Not locked."""

    def __init__(self, directory: str) -> None:
        self._root = pathlib.Path(directory, 'disks') if directory else None

    def _folder(self, uuid: str, suffix: str = '') -> pathlib.Path | None:
        return self._root / f'{uuid}{suffix}' if self._root is not None else None

    def make(self, uuid: str, text: str) -> None:
        """Make the disk of a guest, with a text on it."""
        if (folder := self._folder(uuid)) is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / DISK).write_text(text)

    def remove(self, uuid: str) -> None:
        """Remove the disk of a guest and what is fetched of it."""
        self._remove(uuid, '', INCOMING)

    def set_aside(self, uuid: str) -> dict[str, pathlib.Path]:
        """Set the disk of a guest aside, if that was not done, and return it by name."""
        here, aside = self._folder(uuid), self._folder(uuid, ASIDE)
        if here is None or aside is None:
            return {}
        if here.exists() and not aside.exists():
            here.rename(aside)
        return {path.name: path for path in aside.glob('*')}

    def adopt(self, uuid: str, files: dict[str, pathlib.Path]) -> None:
        """Make the disk of a guest from given files, and remove what was fetched."""
        if (folder := self._folder(uuid)) is not None:
            self._remove(uuid, '')
            folder.mkdir(parents=True)
            for name, path in files.items():
                shutil.copyfile(path, folder / name)
            self.drop_incoming(uuid)

    def incoming(self, uuid: str) -> pathlib.Path | None:
        """Return the folder for files that are fetched, made if need be."""
        if (folder := self._folder(uuid, INCOMING)) is not None:
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def all_incoming(self) -> list[str]:
        """Return the guests of which something is fetched."""
        found = self._root.glob(f'*{INCOMING}') if self._root is not None else ()
        return sorted(folder.name.removesuffix(INCOMING) for folder in found)

    def drop_incoming(self, uuid: str) -> None:
        """Remove what is fetched of a guest."""
        self._remove(uuid, INCOMING)

    def restore(self, uuid: str) -> None:
        """Let a guest have the disk that was set aside."""
        here, aside = self._folder(uuid), self._folder(uuid, ASIDE)
        if here is not None and aside is not None and aside.exists():
            self._remove(uuid, '')
            aside.rename(here)

    def drop_aside(self, uuid: str) -> None:
        """Remove the disk that was set aside."""
        self._remove(uuid, ASIDE)

    def _remove(self, uuid: str, *suffixes: str) -> None:
        for folder in (self._folder(uuid, suffix) for suffix in suffixes):
            if folder is not None and folder.exists():
                shutil.rmtree(folder)
