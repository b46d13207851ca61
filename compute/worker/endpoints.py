"""The RPC ends of a worker's operations: each hands its work to the runner and returns at once."""

from __future__ import annotations

from compute import context as ctx
from compute.objects.operation import Work
from compute.rpc import worker
from compute.rpc.interface import Interface
from compute.worker.runner import Runner


def all_of(runner: Runner) -> list[Interface]:
    """Return the endpoints of every operation."""
    return [BuildEndpoint(runner), DeleteEndpoint(runner), PowerEndpoint(runner), RebootEndpoint(runner)]


class _Endpoint:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner


class BuildEndpoint(_Endpoint, worker.Build):
    """Takes ``create``."""

    def build(self, context: ctx.RequestContext, *, work: Work) -> None:
        self._runner.submit(context, work)


class DeleteEndpoint(_Endpoint, worker.Delete):
    """Takes ``delete``."""

    def delete(self, context: ctx.RequestContext, *, work: Work) -> None:
        self._runner.submit(context, work)


class PowerEndpoint(_Endpoint, worker.Power):
    """Takes ``start`` and ``stop``."""

    def start(self, context: ctx.RequestContext, *, work: Work) -> None:
        self._runner.submit(context, work)

    def stop(self, context: ctx.RequestContext, *, work: Work) -> None:
        self._runner.submit(context, work)


class RebootEndpoint(_Endpoint, worker.Reboot):
    """Takes ``reboot``."""

    def reboot(self, context: ctx.RequestContext, *, work: Work) -> None:
        self._runner.submit(context, work)
