"""The contract of filters: one decision about one host, and words for what was decided."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request


class Filter:
    """Decides whether a host may take a request. A filter has to write ``check``; the rest has defaults.

    ``check`` is called for every host of every request: it reads the two values it is given and nothing else, never
    blocks and changes nothing. It returns None when the host passes, else a sentence without a subject (the host is
    the subject) that names the number or the word that fell short.
    """

    hint: str | None = None

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.name = type(self).__name__

    def applies(self, request: Request) -> bool:
        """Tell whether this filter can drop any host at all for this request; if not, it is not asked."""
        return True

    def check(self, host: HostState, request: Request) -> str | None:
        """Return why the host may not take the request, or None."""
        raise NotImplementedError

    def passing(self, hosts: Sequence[HostState], request: Request) -> list[HostState]:
        """Return the hosts for which ``check`` returns None, in their order.

        A filter that is asked for every request says the same in one expression: with 10,000 hosts the calls of
        ``check`` alone take milliseconds. Reasons are asked for afterwards, for those hosts that are told of.
        """
        check = self.check
        return [host for host in hosts if check(host, request) is None]

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        """Say in a few words, fit for any tenant (no host names), what the dropped hosts lack."""
        return f'{len(dropped)} did not pass {self.name}'


def number(count: int, one: str, more: str) -> str:
    """Return the count with the verb that goes with it: ``1 lacks``, ``2 lack``."""
    return f'{count} {one if count == 1 else more}'
