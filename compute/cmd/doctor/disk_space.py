"""Free space where the daemons write."""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, unknown, warning
from compute.cmd.doctor.machine import Machine

_GIB = 1024 ** 3
FULL, LOW = 0.2, 2.0
"""GiB below which writes are about to fail, and below which an image may not fit."""


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Look at the folders of guests, of the worker and of images."""
    for option, path in (('[libvirt] instances_path', conf.libvirt.instances_path),
                         ('[worker] state_path', conf.worker.state_path),
                         ('[image] store_path', conf.image.store_path)):
        free = machine.free_bytes(path)
        if free is None:
            yield unknown(f'{path} ({option}) cannot be read')
            continue
        found = f'{path} ({option}) has {free / _GIB:.1f} GiB free'
        remedy = f'remove what is not needed, or set {option} to a larger file system'
        if free < FULL * _GIB:
            yield failure(found, remedy)
        elif free < LOW * _GIB:
            yield warning(found, remedy)
        else:
            yield fine(found)
