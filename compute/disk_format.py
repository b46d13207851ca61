"""Detect the format of image data and whether it is safe to open: ``oslo_utils.imageutils`` with our rules.

The built-in image daemon inspects what users upload, hosts inspect what they fetched and what they have in their cache.
Nothing here opens a file or runs a program: data passes through in chunks, once, in bounded memory. Data is safe when
it is of exactly one format, the declared one, and refers to nothing outside of itself.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from oslo_utils.imageutils import format_inspector

RAW, QCOW2 = 'raw', 'qcow2'
BOOTABLE = (RAW, QCOW2, 'ami')
"""Values of ``disk_format`` that a disk of a server is made from."""
KERNEL_PARTS = ('aki', 'ari', RAW)
"""Values of ``disk_format`` of a kernel or RAM disk."""
CONTAINERS = ('bare', 'ami', 'aki', 'ari')
"""Values of ``container_format`` whose data is the image itself."""

_PIECE, _KEPT, _SECTOR = 64 * 1024, 4096, 512
_LARGEST = 2 ** 63 - 1  # what QEMU and databases count with
_DISKS = frozenset((RAW, 'gpt', 'iso'))  # without a format of their own: opened as raw
_ALLOWED = {RAW: _DISKS, 'ami': _DISKS, 'aki': frozenset((RAW, 'gpt')), 'ari': frozenset((RAW, 'gpt')),
            'iso': frozenset(('iso', 'gpt'))}
_PLAIN = frozenset((*_ALLOWED, 'gpt'))  # whose disk is as large as the data
# Formats that QEMU recognises and the library does not.
_MAGICS = ((b'WithoutFreeSpace', 'ploop'), (b'WithouFreSpacExt', 'ploop'), (b'COWD', 'vmdk'),
           (b'Bochs Virtual HD Image', 'bochs'), (b'#!/bin/sh\n#V2.0 Format\nmodprobe cloop', 'cloop'))
_DESCRIPTOR = re.compile(rb'\s*#\s*disk\s*descriptorfile|(?:\s|#[^\n]*\n)*(?:version|createtype)\s*=', re.I)
_UNSUPPORTED = frozenset(('ploop', 'qed', 'bochs', 'cloop', 'luks'))
_REASONS = {
    'backing_file': 'it has a backing file', 'data_file': 'it keeps its data in an external data file',
    'unknown_features': 'its version or its features are not supported', 'mbr': 'its partition table is not valid',
    'descriptor': 'its descriptor is not one of a single sparse disk', 'footer': 'its footer contradicts its header'}
_VMDK_TYPES = ('monolithicsparse', 'streamoptimized')

# It logs parts of uploaded data, of any length. The callers log each refusal themselves.
logging.getLogger(format_inspector.__name__).setLevel(logging.CRITICAL)


class DataRefused(Exception):
    """The data must not be used. The text is the reason, as the end of a sentence, and may be shown to users."""


class FormatInspection:
    """Feed it every chunk, then ``finish``. Chunks may be of any size.

    :param disk_format: as declared. :param container_format: with another than those of ``CONTAINERS`` the data may be
        wrapped in something else, or be of the declared format, and nothing else.
    """

    def __init__(self, disk_format: str, container_format: str = 'bare') -> None:
        self._declared = disk_format
        self._allowed = _ALLOWED.get(disk_format, frozenset((disk_format,)))
        self._wrapped = container_format not in CONTAINERS
        self._head = b''
        self._waiting = b''
        self._length = 0
        self._decided = False
        self._source = _Source()
        self._inspectors: Any = format_inspector.InspectWrapper(self._source)  # type: ignore[arg-type]

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._length += len(chunk)
        if self._decided:
            return
        if len(self._head) < _KEPT:
            self._head += chunk[:_KEPT - len(self._head)]
        # In equal pieces, so that the answer does not depend on how the data was cut.
        data, start = self._waiting + chunk, 0
        while start + _PIECE <= len(data) and not self._decided:
            self._pass_on(data[start:start + _PIECE])
            start += _PIECE
        self._waiting = b'' if self._decided else data[start:]

    def check_beginning(self) -> None:
        """Check the data read so far. :raises DataRefused: as soon as it must be refused."""
        if self._length >= _PIECE and (found := self._found()) is not None:
            self._check(found, whole=False)

    def finish(self) -> int | None:
        """Return the bytes of the disk, None where they cannot be told. :raises DataRefused:"""
        self._end()
        found = self._found() or {}
        self._check(found, whole=True)
        return self._size(found)

    def virtual_size(self) -> int | None:
        """Return what ``finish`` does, whatever the data is: for those who trust it."""
        self._end()
        try:
            return self._size(self._found() or {})
        except DataRefused:
            return None

    def _pass_on(self, piece: bytes) -> None:
        self._source.chunk = piece
        self._inspectors.read(len(piece))
        with suppress(AttributeError):  # of the library, for text that is no VMDK
            self._decided = self._inspectors.formats is not None

    def _end(self) -> None:
        self._pass_on(self._waiting)
        if self._length < _SECTOR and (b'\0' in self._head or not self._head.isascii()):
            self._pass_on(bytes(_SECTOR - self._length))  # what is no text is looked at as one sector of a disk
        self._inspectors.close()

    def _found(self) -> dict[str, Any] | None:
        """Return the formats that the data has, with their inspectors; None while that cannot be told."""
        try:
            inspectors = self._inspectors.formats
        except Exception as error:
            raise DataRefused('its format cannot be determined') from error
        if inspectors is None:
            return None
        found = {str(inspector): inspector for inspector in inspectors}
        named = next((name for magic, name in _MAGICS if self._head.startswith(magic)), None)
        named = named or ('vmdk' if _DESCRIPTOR.match(self._head) else None)
        if named is not None and named not in found:
            found.pop(RAW, None)
            found[named] = None
        return found

    def _check(self, found: dict[str, Any], whole: bool) -> None:
        if len(found) > 1 and not found.keys() <= {'iso', 'gpt'}:
            raise DataRefused(f'it is of several formats at once: {", ".join(sorted(found))}')
        for name in sorted(found.keys() - self._allowed):
            if not (self._wrapped and name in _DISKS):
                raise DataRefused(f'it is declared {self._declared} but its data is {name}')
        if self._declared == 'iso' and 'iso' not in found and not self._wrapped:
            raise DataRefused(f'it is declared iso but its data is {", ".join(found) or RAW}')
        for name, inspector in found.items():
            if name in _UNSUPPORTED:
                raise DataRefused(f'the format {name} is not supported')
            if self._length < _SECTOR and name != RAW:
                raise DataRefused(f'its {name} header is cut off or damaged')
            self._check_safety(name, inspector, whole)

    def _check_safety(self, name: str, inspector: Any, whole: bool) -> None:
        if name == 'gpt' and self._declared not in (RAW, 'ami'):
            return  # a kernel and an ISO have code where a disk has its partitions
        if inspector is not None and not inspector.complete and not whole:
            return  # the end decides too
        try:
            if inspector is None:
                raise DataRefused('it is a VMDK descriptor, whose data is in other files')
            inspector.safety_check()
        except format_inspector.SafetyCheckFailed as error:
            reasons = (_REASONS.get(failed, f'the check {failed} failed') for failed in sorted(error.failures))
            raise DataRefused(', '.join(reasons)) from error
        except format_inspector.ImageFormatError as error:
            raise DataRefused(f'its {name} header is cut off or damaged') from error
        if name == 'vmdk':
            _check_vmdk(inspector)
        if name not in _PLAIN and not _bounded(name, inspector):
            raise DataRefused('its disk size is 0 bytes')

    def _size(self, found: dict[str, Any]) -> int | None:
        if found.keys() <= _PLAIN:
            return self._length if self._declared in _PLAIN else None
        inspector = found.get(self._declared)
        return None if inspector is None else _bounded(self._declared, inspector)


class _Source:
    """The file object for the library: the current chunk."""

    chunk = b''

    def read(self, size: int) -> bytes:
        """Return the chunk."""
        return self.chunk


def inspect(chunks: Iterable[bytes], disk_format: str, container_format: str = 'bare') -> int | None:
    """Return the bytes of the disk whose data ``chunks`` are; see ``FormatInspection``. :raises DataRefused:"""
    inspection = FormatInspection(disk_format, container_format)
    for chunk in chunks:
        inspection.feed(chunk)
    return inspection.finish()


def opened_as(disk_format: str | None) -> str:
    """Return the format that QEMU is told for an image of ``disk_format``; it must never find out by itself."""
    return QCOW2 if disk_format == QCOW2 else RAW


def _bounded(name: str, inspector: Any) -> int:
    try:
        size = int(inspector.virtual_size)
    except Exception as error:
        raise DataRefused(f'its {name} header is cut off or damaged') from error
    if size > _LARGEST:
        raise DataRefused(f'its disk size is {size} bytes')
    return size


def _check_vmdk(inspector: Any) -> None:
    """Check what QEMU reads besides what the library looks at.

    QEMU takes the first ``createType``, also in a comment; follows the extents if the capacity is 0; and reads on where
    the text goes on behind the end that the header tells. :raises DataRefused:
    """
    if not inspector.has_region('header'):
        raise DataRefused('it is a VMDK descriptor, whose data is in other files')
    text = inspector.desc_text
    lines = [line.strip() for line in text.split('\n')]
    extents = [line.split()[2:3] for line in lines if line.split()[:1] and line.split()[0] in ('rw', 'rdonly',
                                                                                              'noaccess')]
    if inspector.vmdktype not in _VMDK_TYPES or text.count('createtype') != 1 or \
            not any(line.startswith('createtype') for line in lines):
        raise DataRefused(f'its VMDK type is not one of {", ".join(_VMDK_TYPES)}, once')
    if b'\0' not in inspector.region('descriptor').data:
        raise DataRefused('its VMDK descriptor has no end')
    if 'parentfilenamehint' in text or not re.search(r'^\s*parentcid\s*=\s*ffffffff\s*$', text, re.M):
        raise DataRefused('it has a parent disk')
    if extents != [['sparse']]:
        raise DataRefused('its VMDK extents are not a single sparse one')
