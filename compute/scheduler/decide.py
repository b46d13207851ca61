"""The decision: hosts and a request become a ranking and a reason for every host that is not in it.

It is a pure function: it reads the states it is given, asks no database and changes nothing, so that the same input
always gives the same answer (but for the dice where they are asked for) and a dry run is the real thing.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from compute import exception
from compute.objects.request_spec import Rejection
from compute.scheduler.filters.filter import Filter
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request
from compute.scheduler.weights.weight import Weight


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a decision goes by. ``keep`` hosts are ranked at most, ``subset`` of the best take part in the draw."""

    filters: Sequence[Filter]
    weights: Sequence[tuple[float, Weight]]
    keep: int = 3
    subset: int = 1
    shuffle: bool = False
    max_reasons: int = 50


@dataclass(frozen=True, kw_only=True)
class Drop:
    """What one filter dropped: how many, in words for the tenant, and some of the hosts with their reasons."""

    filter: str
    count: int
    summary: str
    hint: str | None
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """``ranked`` is best first and empty when no host fits; ``drops`` are in the order of the filters."""

    ranked: tuple[HostState, ...] = ()
    considered: int = 0
    drops: tuple[Drop, ...] = field(default=())

    def rejections(self, limit: int) -> tuple[Rejection, ...]:
        """Return reasons host by host, at most ``limit``: those that came furthest, the near misses, first."""
        return tuple(each for drop in reversed(self.drops) for each in drop.rejections)[:limit]

    def error(self, limit: int) -> exception.NoValidHost:
        """Return the error that tells why no host fits: counts for the tenant, hosts in the details."""
        if not self.considered:
            text = 'No valid host was found. There is no hypervisor host at all'
            return exception.NoValidHost(
                text, for_users=text,
                hint='start compute-worker on a host; it registers by itself',
                details={'rejections': [], 'counts': {}, 'considered': 0})
        most_first = sorted(self.drops, key=lambda drop: -drop.count)
        noun = 'host fits' if self.considered == 1 else 'hosts fit'
        reasons = ', '.join(drop.summary for drop in most_first)
        rejections = [{'host': each.host, 'filter': each.filter, 'reason': each.reason}
                      for each in self.rejections(limit)]
        text = f'No valid host was found. 0 of {self.considered} {noun}: {reasons}'
        return exception.NoValidHost(
            text, for_users=text,
            hint=most_first[0].hint if most_first else None,
            details={'rejections': rejections, 'counts': {drop.filter: drop.count for drop in self.drops},
                     'considered': self.considered})


def decide(hosts: Sequence[HostState], request: Request, rules: Rules, dice: random.Random) -> Decision:
    """Filter and rank hosts for a request."""
    survivors, drops = hosts, []
    for each in rules.filters:
        if not survivors:
            break
        if each.applies(request):
            survivors, drop = _filter(each, survivors, request, rules.max_reasons)
            if drop is not None:
                drops.append(drop)
    ranked = _rank(survivors, request, rules, dice)
    return Decision(ranked=ranked, considered=len(hosts), drops=tuple(drops))


def _filter(each: Filter, hosts: Sequence[HostState], request: Request, limit: int
            ) -> tuple[Sequence[HostState], Drop | None]:
    passed = each.passing(hosts, request)
    if len(passed) == len(hosts):
        return hosts, None
    kept = set(passed)
    dropped = [host for host in hosts if host not in kept] if kept else hosts
    return passed, Drop(
        filter=each.name, count=len(dropped), hint=each.hint, summary=each.summary(dropped, request),
        rejections=tuple(Rejection(host=host.host, filter=each.name, reason=each.check(host, request) or '')
                         for host in dropped[:limit]))


def _rank(hosts: Sequence[HostState], request: Request, rules: Rules, dice: random.Random) -> tuple[HostState, ...]:
    if not hosts:
        return ()
    totals = _totals(hosts, request, rules.weights)
    keep = max(rules.keep, rules.subset)
    if rules.shuffle:
        best = heapq.nlargest(keep, range(len(hosts)), key=lambda index: (totals[index], dice.random()))
    else:
        best = heapq.nlargest(keep, range(len(hosts)), key=totals.__getitem__)
    if rules.subset > 1:
        best.insert(0, best.pop(dice.randrange(min(rules.subset, len(best)))))
    return tuple(hosts[index] for index in best[:rules.keep])


def _totals(hosts: Sequence[HostState], request: Request, weights: Sequence[tuple[float, Weight]]) -> list[float]:
    totals = [0.0] * len(hosts)
    for multiplier, weight in weights:
        if not weight.applies(request):
            continue
        values = weight.values(hosts, request)
        low, high = min(values), max(values)
        if low == high:
            continue  # all alike: it would add the same to each
        scale = multiplier / (high - low)
        totals = [total + (value - low) * scale for total, value in zip(totals, values, strict=True)]
    return totals
