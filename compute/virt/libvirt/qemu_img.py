"""qemu-img, as a process with limits: it reads what strangers uploaded."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from compute import exception

LOG = logging.getLogger(__name__)
_PATH = os.pathsep.join(('/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'))
_LONGEST_COPY = 7200.0
_FULL = ('No space left on device', 'Disk quota exceeded')


@dataclass(frozen=True)
class DiskInfo:
    """What qemu-img found. ``foreign`` names what the file refers to outside itself; it must be empty."""

    format: str
    virtual_size: int
    foreign: tuple[str, ...] = ()


def inspect(path: str, disk_format: str, memory_mb: int, seconds: int) -> DiskInfo:
    """Return what ``path`` is when read as ``disk_format``.

    :raises ValueError: it cannot be read as that within the limits.
    """
    limits = [_tool('prlimit'), f'--as={memory_mb * 1024 * 1024}', f'--cpu={seconds}', '--core=0', '--']
    command = [*limits, _tool('qemu-img'), 'info', '--output=json', '-f', disk_format, '--', path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env={'LC_ALL': 'C', 'PATH': _PATH}, check=False,
                              timeout=seconds * 4)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f'its inspection took more than {seconds * 4} seconds') from error
    if done.returncode != 0:
        raise ValueError(done.stderr.strip().replace(path, 'image') or f'qemu-img ended with {done.returncode}')
    return _disk_info(json.loads(done.stdout))


def _disk_info(found: dict[str, Any]) -> DiskInfo:
    special = found.get('format-specific', {}).get('data', {})
    foreign = [str(value) for value in (found.get('backing-filename'), found.get('full-backing-filename'),
                                        special.get('data-file')) if value]
    if special.get('data-file-raw'):
        foreign.append('raw data file')
    return DiskInfo(format=found['format'], virtual_size=int(found['virtual-size']), foreign=tuple(foreign))


def create_overlay(path: str, base: str, base_format: str, size: int | None) -> None:
    """Make a qcow2 over ``base``; ``size`` in bytes, None for that of the base. :raises Retry: no room."""
    extra = [str(size)] if size is not None else []
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', base_format, '--', path, *extra)


def create_empty(path: str, size: int) -> None:
    """Make an empty qcow2 of ``size`` bytes. :raises Retry: no room."""
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '--', path, str(size))


def rebase(path: str, base: str, base_format: str) -> None:
    """Let a qcow2 name another file that it is based on, of the same content. Neither is read."""
    run('qemu-img', 'rebase', '-q', '-u', '-f', 'qcow2', '-F', base_format, '-b', base, '--', path)


def grow(path: str, size: int) -> None:
    """Let a qcow2 be a disk of ``size`` bytes. :raises Retry: no room."""
    run('qemu-img', 'resize', '-q', '-f', 'qcow2', '--', path, str(size))


def copy(source: str, target: str) -> None:
    """Copy a file with its holes; where the file system can, the copy shares its blocks. :raises Retry: no room."""
    run('cp', '--sparse=always', '--reflink=auto', '--', source, target, seconds=_LONGEST_COPY)


def run(tool: str, *arguments: str, seconds: float = 600) -> None:
    """Run a tool that makes or formats a disk. :raises Retry: no room (``disk_full``). :raises Failed: all else."""
    try:
        done = subprocess.run([_tool(tool), *arguments], capture_output=True, text=True, check=False,
                              env={'LC_ALL': 'C', 'PATH': _PATH}, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise exception.Failed(f'{tool} did not end within {seconds:.0f} seconds', code='disk_create') from error
    if done.returncode == 0:
        return
    reason = done.stderr.strip() or done.stdout.strip() or f'exit {done.returncode}'
    if any(sign in reason for sign in _FULL):
        raise disk_full(reason)
    raise exception.Failed(f'{tool} failed: {reason}', code='disk_create')


def disk_full(reason: str) -> exception.Retry:
    """Return the error for a file system without room."""
    return exception.Retry(f'no room for disks on this host: {reason}', code='disk_full',
                           hint='free space below [libvirt] instances_path')


def from_os_error(error: OSError) -> Exception:
    """Return ``Retry`` where a file system is full and the error itself elsewhere."""
    return disk_full(str(error)) if error.errno in (errno.ENOSPC, errno.EDQUOT) else error


def _tool(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise exception.Failed(f'{name} is not installed on this host', code='tool_missing',
                               hint='install qemu-utils, e2fsprogs and util-linux')
    return found
