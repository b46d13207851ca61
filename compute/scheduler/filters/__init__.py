"""Filters: one class a file, listed here; others come from the entry point group ``compute.scheduler.filters``."""

from __future__ import annotations

from importlib import metadata

from oslo_config import cfg

from compute import exception
from compute.scheduler.filters.availability_zone import AvailabilityZoneFilter
from compute.scheduler.filters.compute import ComputeFilter
from compute.scheduler.filters.core import CoreFilter
from compute.scheduler.filters.current_host import CurrentHostFilter
from compute.scheduler.filters.different_host import DifferentHostFilter
from compute.scheduler.filters.disk import DiskFilter
from compute.scheduler.filters.filter import Filter
from compute.scheduler.filters.image_properties import ImagePropertiesFilter
from compute.scheduler.filters.io_ops import IoOpsFilter
from compute.scheduler.filters.lost_claim import LostClaimFilter
from compute.scheduler.filters.ram import RamFilter
from compute.scheduler.filters.requested_host import RequestedHostFilter
from compute.scheduler.filters.retry import RetryFilter
from compute.scheduler.filters.same_host import SameHostFilter
from compute.scheduler.filters.server_group_affinity import ServerGroupAffinityFilter
from compute.scheduler.filters.server_group_anti_affinity import ServerGroupAntiAffinityFilter

ENTRY_POINTS = 'compute.scheduler.filters'
FILTERS: dict[str, type[Filter]] = {
    'AvailabilityZoneFilter': AvailabilityZoneFilter,
    'ComputeFilter': ComputeFilter,
    'CoreFilter': CoreFilter,
    'DifferentHostFilter': DifferentHostFilter,
    'DiskFilter': DiskFilter,
    'ImagePropertiesFilter': ImagePropertiesFilter,
    'IoOpsFilter': IoOpsFilter,
    'RamFilter': RamFilter,
    'RequestedHostFilter': RequestedHostFilter,
    'RetryFilter': RetryFilter,
    'SameHostFilter': SameHostFilter,
    'ServerGroupAffinityFilter': ServerGroupAffinityFilter,
    'ServerGroupAntiAffinityFilter': ServerGroupAntiAffinityFilter,
}


def load(conf: cfg.ConfigOpts) -> list[Filter]:
    """Return the enabled filters in their order. :raises Invalid: one of the names is unknown."""
    return [CurrentHostFilter(conf), *(_find(name)(conf) for name in conf.scheduler.enabled_filters),
            LostClaimFilter(conf)]


def _find(name: str) -> type[Filter]:
    if name in FILTERS:
        return FILTERS[name]
    for point in metadata.entry_points(group=ENTRY_POINTS, name=name):
        found: type[Filter] = point.load()
        return found
    raise exception.Invalid(f'[scheduler] enabled_filters names {name!r}; there are {", ".join(sorted(FILTERS))}',
                            code='unknown_filter')
