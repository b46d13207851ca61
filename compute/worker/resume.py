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
from typing import Any

from compute import concurrency, exception, states
from compute.clients import ports
from compute.clients.network import Networks
from compute.objects.instance import Instance
from compute.objects.nic import Nic
from compute.virt.driver import Driver
from compute.worker.guest import GroupNames, guest_of, unnamed
from compute.worker.runner import Runner

LOG = logging.getLogger(__name__)
_OFF = (states.SHUTDOWN, states.CRASHED)
_TOGETHER = 4
_PAUSE, _LONGEST_PAUSE = 1.0, 10.0


class Resume:
    """One round at each start of a worker. ``[worker] vif_plug_timeout`` is how long taps are waited for; the
    hypervisor is as long as it takes. ``look`` is called with the uuid of each server that is done, or given up."""

    def __init__(self, conf: Any, driver: Driver, networks: Networks, runner: Runner, look: Callable[[str], None],
                 group_names: GroupNames = unnamed) -> None:
        self._options, self._driver, self._runner, self._look = conf.worker, driver, runner, look
        self._networks, self._group_names = networks, group_names
        self._silent: set[str] = set()
        self._stopped = threading.Event()

    def begin(self, instances: Iterable[Instance]) -> None:
        """Start, in the background, the guests of those of these servers that should run and are off."""
        if not self._options.resume_guests:
            return
        should = {each.uuid: each for each in instances
                  if each.vm_state == states.ACTIVE and not self._runner.busy(each.uuid)}
        self._runner.keep(should)
        try:
            off = {guest.uuid for guest in self._driver.guests() if guest.ours and guest.power_state in _OFF}
        except exception.ComputeError as error:
            LOG.warning('which guests have to be started is seen later: %s', error.message)
            off = set(should)
        for uuid in should.keys() - off:
            self._runner.let_go(uuid)
        if waiting := {uuid: each for uuid, each in should.items() if uuid in off}:
            concurrency.spawn(self._start_all, waiting, name='resume')

    def stop(self) -> None:
        """Start no more guests. The next worker does."""
        self._stopped.set()

    def _start_all(self, waiting: dict[str, Instance]) -> None:
        end, pause = time.monotonic() + self._options.vif_plug_timeout, _PAUSE
        pool = concurrency.Pool('resume', _TOGETHER, queue=len(waiting))
        try:
            while waiting:
                last = time.monotonic() > end
                nics = self._current(list(waiting.values()))
                attempts = {uuid: pool.submit(self._attempt, each, nics.get(uuid, each.nics), last)
                            for uuid, each in waiting.items()}
                waiting = {uuid: waiting[uuid] for uuid, attempt in attempts.items() if attempt.result()}
                if waiting and self._stopped.wait(pause):
                    return
                pause = min(pause * 1.5, _LONGEST_PAUSE) if waiting.keys() <= self._silent else _PAUSE
        finally:
            pool.shutdown()

    def _current(self, instances: list[Instance]) -> dict[str, tuple[Nic, ...]]:
        """Return the NICs of servers as they are now, of those whose ports can be read."""
        try:
            found = ports.current(self._networks, instances)
        except exception.ComputeError as error:
            LOG.warning('%d servers are started with the ports that are known; they cannot be read now: %s',
                        len(instances), error.message)
            return {}
        return {uuid: tuple(each.nic for each in nics) for uuid, nics in found.items()}

    def _attempt(self, instance: Instance, nics: tuple[Nic, ...], last: bool) -> bool:
        """Start one guest; tell whether to try again."""
        uuid = instance.uuid
        try:
            with self._runner.alone(uuid):
                if self._stopped.is_set():
                    return True  # by the next worker; that it is off means nothing still
                if self._runner.keeps(uuid):
                    self._start(instance, nics)
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

    def _start(self, instance: Instance, nics: tuple[Nic, ...]) -> None:
        if self._driver.guest_info(instance.uuid).power_state in _OFF:
            self._driver.power_on(guest_of(self._options, instance, nics, self._group_names))
            LOG.info('server %s was started: it should run', instance.uuid)
