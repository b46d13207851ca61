"""After a host has booted: start the guests that should run.

What they need comes up beside the worker: taps are made anew by the network agent, the hypervisor may still start. So
each is tried again for a while. Until it runs, or is given up, what is seen of its guest says nothing about what its
owner wants: the server counts as busy, and nobody reports that it is off. The first operation on a server ends that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from compute import concurrency, exception, states
from compute.clients.network import UNPLUGGABLE
from compute.objects.instance import Instance
from compute.objects.network import ServerPort
from compute.objects.nic import Nic
from compute.virt.driver import Driver
from compute.worker.guest import GroupNames, guest_of, unnamed
from compute.worker.nics import Nics
from compute.worker.runner import Runner

LOG = logging.getLogger(__name__)
_OFF = (states.SHUTDOWN, states.CRASHED)
_TOGETHER = 4
_PAUSE, _LONGEST_PAUSE = 1.0, 10.0


class _Superseded(Exception):
    """The worker stops, or an operation on the server has begun."""


class ResumeGuests:
    """One round at each start of a worker. ``[worker] vif_plug_timeout`` is how long taps are waited for; the
    hypervisor is as long as it takes. ``look`` is called with the uuid of each server that is done, or given up."""

    def __init__(self, conf: Any, driver: Driver, nics: Nics, runner: Runner, look: Callable[[str], None],
                 group_names: GroupNames = unnamed) -> None:
        self._options, self._driver, self._runner, self._look = conf.worker, driver, runner, look
        self._nics, self._group_names = nics, group_names
        self._silent: set[str] = set()
        self._stopped = threading.Event()

    def begin(self, instances: Iterable[Instance]) -> None:
        """Start, in the background, the guests of those of these servers that should run and are off."""
        if not self._options.resume_guests:
            return
        should = {each.uuid: each for each in instances if _should_run(each) and not self._runner.busy(each.uuid)}
        self._runner.keep(should)
        try:
            off = {guest.uuid for guest in self._driver.guests() if guest.ours and guest.power_state in _OFF}
        except exception.ComputeError as error:
            LOG.warning('which guests have to be started is seen later: %s', error.message)
            off = set(should)
        for uuid in should.keys() - off:
            self._runner.let_go(uuid)
        if waiting := {uuid: each for uuid, each in should.items() if uuid in off}:
            concurrency.spawn(self._start_all, waiting, name='resume-guests')

    def stop(self) -> None:
        """Start no more guests. The next worker does."""
        self._stopped.set()

    def _start_all(self, waiting: dict[str, Instance]) -> None:
        end, pause = time.monotonic() + self._options.vif_plug_timeout, _PAUSE
        pool = concurrency.Pool('resume-guests', _TOGETHER, queue=len(waiting))
        try:
            while waiting:
                last = time.monotonic() > end
                found = self._nics.read(list(waiting.values()))
                attempts = {uuid: pool.submit(self._attempt, each, found.get(uuid), last)
                            for uuid, each in waiting.items()}
                waiting = {uuid: waiting[uuid] for uuid, attempt in attempts.items() if attempt.result()}
                if waiting and self._stopped.wait(pause):
                    return
                pause = min(pause * 1.5, _LONGEST_PAUSE) if waiting.keys() <= self._silent else _PAUSE
        finally:
            pool.shutdown()

    def _attempt(self, instance: Instance, found: tuple[ServerPort, ...] | None, last: bool) -> bool:
        """Start one guest; tell whether to try again. ``found``: its ports as they are now, None if not known."""
        uuid = instance.uuid
        try:
            if not self._start_alone(instance, found, last):
                return True
        except exception.Unavailable as error:
            if uuid not in self._silent:
                LOG.warning('server %s should run and is started later: %s', uuid, error.message)
            self._silent.add(uuid)
            return True
        except exception.Retry as error:
            if not last:
                return True
            LOG.error('server %s should run and cannot be started: %s', uuid, error.message)
        except exception.NotFound:
            LOG.info('server %s has no guest here', uuid)
        except Exception as error:
            LOG.error('server %s should run and cannot be started: %s', uuid, getattr(error, 'message', error),
                      exc_info=not isinstance(error, exception.ComputeError))
        self._runner.let_go(uuid)
        self._look(uuid)
        return False

    def _start_alone(self, instance: Instance, found: tuple[ServerPort, ...] | None, last: bool) -> bool:
        """Start one guest unless an operation superseded that. Return False if it is left to the next worker."""
        with self._runner.alone(instance.uuid):
            if self._stopped.is_set():
                return False  # that it is off means nothing still
            if self._runner.keeps(instance.uuid):
                try:
                    self._start(instance, found, last)
                except _Superseded:
                    return not self._stopped.is_set()
        return True

    def _start(self, instance: Instance, found: tuple[ServerPort, ...] | None, last: bool) -> None:
        if self._driver.guest_info(instance.uuid).power_state in _OFF:
            nics = self._bound(instance, found, last)
            self._driver.power_on(guest_of(self._options, instance, nics, self._group_names))
            LOG.info('server %s was started: it should run', instance.uuid)

    def _bound(self, instance: Instance, found: tuple[ServerPort, ...] | None, last: bool) -> tuple[Nic, ...]:
        """Return the NICs of a server, bound to this host. Only the last attempt waits long for their wiring."""
        if found is None:
            if any(nic.vif_type in UNPLUGGABLE for nic in instance.nics):
                raise exception.Unavailable(f'ports of server {instance.uuid} must be bound, and Network does not '
                                            f'return them', code='network_unavailable')
            return instance.nics
        check = partial(self._check, instance.uuid)
        return self._nics.bound(instance, found, self._options.vif_plug_timeout if last else _PAUSE, check, check)

    def _check(self, uuid: str) -> None:
        """Return if this still is to start the guest. :raises _Superseded: it is not."""
        if self._stopped.is_set() or self._runner.has_operation(uuid):
            raise _Superseded(f'the start of server {uuid} was superseded')


def _should_run(instance: Instance) -> bool:
    """Return whether the guest of a server should run: it is active, or was before a resize that waits."""
    return instance.vm_state == states.ACTIVE or (
        instance.vm_state == states.RESIZED and instance.power_state == states.RUNNING)
