"""Compares what an image is declared to be with what its data is, while the data passes.

A lie is dangerous: QEMU that is told to open "raw" data as what it looks like follows the references in it to files of
the host. So data declared raw must not look like a disk format, data of a format must look like it, and no format may
refer to anything outside of itself. Data that is wrapped (``container_format`` other than ``bare``) is not looked into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from compute.builtin.image.formats import qcow2, vdi, vhd, vhdx, vmdk
from compute.builtin.image.formats.seen import HEAD, Finding, Seen
from compute.exception import Invalid

_ISO_AT, _ISO_MAGICS = 32769, (b'CD001', b'BEA01', b'NSR02', b'NSR03')
_OPAQUE = ('ami', 'ari', 'aki')
_LARGEST = 2 ** 63 - 1  # what QEMU and databases count with


class _Format(NamedTuple):
    matches: Callable[[Seen], bool]
    examine: Callable[[Seen], Finding]


def _whole(seen: Seen) -> Finding:
    return Finding(seen.length)


def _starts(*magics: bytes) -> Callable[[Seen], bool]:
    return lambda seen: seen.head.startswith(magics)


def _is_iso(seen: Seen) -> bool:
    return seen.head[_ISO_AT:_ISO_AT + 5] in _ISO_MAGICS


def _unsupported(seen: Seen) -> Finding:
    return Finding(problem='this format is not supported')


FORMATS = {
    'qcow2': _Format(qcow2.matches, qcow2.examine),
    'vmdk': _Format(vmdk.matches, vmdk.examine),
    'vhdx': _Format(vhdx.matches, vhdx.examine),
    'vdi': _Format(vdi.matches, vdi.examine),
    'ploop': _Format(_starts(b'WithoutFreeSpace', b'WithouFreSpacExt'), _unsupported),
    'qed': _Format(_starts(b'QED\0'), _unsupported),
    'vhd': _Format(vhd.matches, vhd.examine),
    'iso': _Format(_is_iso, _whole),
}


class Inspector:
    """Feed it every chunk, then ``finish``. Both raise as soon as the data is known to be wrong."""

    def __init__(self, disk_format: str, container_format: str, enforce: bool = True) -> None:
        self._declared = disk_format
        self._enforce = enforce
        self._opaque = disk_format in _OPAQUE or container_format != 'bare'
        self._seen = Seen()
        self._early = False

    def feed(self, chunk: bytes) -> None:
        """Take note of the next bytes. :raises Invalid: 415, the beginning shows that the data is refused."""
        cut = HEAD - self._seen.length
        if 0 < cut < len(chunk):
            self.feed(chunk[:cut])  # what a format asks for has not passed yet when its head is complete
            chunk = chunk[cut:]
        self._seen.add(chunk)
        if not self._early and not self._opaque and self._seen.length >= HEAD:
            self._early = True
            if self._declared == 'vhdx' and (region := vhdx.wants(self._seen)):
                self._seen.want(*region)
            if self._enforce:
                self._check_beginning()

    def finish(self) -> int | None:
        """Return the bytes of the disk, None if it cannot be told. :raises Invalid: 415, the data is refused."""
        if self._opaque:
            return self._seen.length if self._declared in _OPAQUE else None
        if self._enforce:
            self._check_name(self._found())
        if self._declared == 'raw':
            return self._seen.length
        known = FORMATS.get(self._declared)
        if known is None or not known.matches(self._seen):
            return None
        finding = self._examine(self._declared)
        if finding.problem and self._enforce:
            raise self._refusal(finding.problem)
        return finding.virtual_size

    def _found(self) -> str:
        if self._declared == 'iso' and _is_iso(self._seen):
            return 'iso'  # its first 32 KiB are free for anything, as boot code
        return next((name for name, known in FORMATS.items() if known.matches(self._seen)), 'raw')

    def _check_beginning(self) -> None:
        found = self._found()
        if found == 'raw' and self._declared == 'vhd':
            return  # a fixed VHD is told by its end
        self._check_name(found)
        if self._declared in ('qcow2', 'vmdk', 'vdi') and (problem := self._examine(found).problem):
            raise self._refusal(problem)

    def _check_name(self, found: str) -> None:
        # An ISO refers to nothing and boots as a plain disk, so calling it raw is no lie that matters.
        if found != self._declared and (self._declared, found) != ('raw', 'iso'):
            raise self._refusal(f'it is declared {self._declared} but its data is {found}')

    def _examine(self, name: str) -> Finding:
        finding = FORMATS[name].examine(self._seen)
        if (finding.virtual_size or 0) <= _LARGEST:
            return finding
        return Finding(problem=finding.problem or f'it says that it is a disk of {finding.virtual_size} bytes')

    @staticmethod
    def _refusal(why: str) -> Invalid:
        return Invalid(f'The data of this image is refused: {why}.', code='image_format', status=415,
                       hint='convert it to a plain file of the declared format (qemu-img convert) and upload that')
