"""Find the hypervisor driver that the configuration names.

Drivers are entry points of the namespace ``compute.virt.drivers``, so that one may live in another package. An entry
point is a class; it is called with ``(conf, host)`` and touches nothing outside before ``start()``.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any, cast

from oslo_config import cfg
from stevedore import driver as stevedore_driver
from stevedore import exception as stevedore_exception

from compute import exception
from compute.virt.driver import Driver

NAMESPACE = 'compute.virt.drivers'


def load_driver(conf: cfg.ConfigOpts, host: str) -> Driver:
    """Return the driver named by ``[virt] driver``, made for ``host`` but not started.

    :raises Invalid: no driver of that name is installed; the message lists those that are.
    :raises Failed: it is installed but cannot be imported; the message says why.
    """
    name = conf.virt.driver
    try:
        manager: stevedore_driver.DriverManager[Any] = stevedore_driver.DriverManager(
            NAMESPACE, name, on_load_failure_callback=_cannot_load)
    except stevedore_exception.NoMatches as error:
        known = ', '.join(driver_names()) or 'none'
        raise exception.Invalid(f'[virt] driver is {name!r}, but no such driver is installed; installed: {known}',
                                code='unknown_driver', hint='correct [virt] driver in the configuration') from error
    return cast(Driver, manager.driver(conf, host))


def driver_names() -> list[str]:
    """Return the names of all installed drivers, sorted."""
    return sorted({point.name for point in importlib.metadata.entry_points(group=NAMESPACE)})


def _cannot_load(_manager: Any, entry_point: Any, error: BaseException) -> None:
    if isinstance(error, exception.ComputeError):
        raise error
    raise exception.Failed(f'driver {entry_point.name!r} ({entry_point.value}) cannot be loaded: {error}',
                           code='driver_broken') from error
