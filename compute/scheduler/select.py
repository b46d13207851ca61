"""Answers ``Select``: decide, claim, and on a lost race decide again, here and within milliseconds."""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from typing import Any

from oslo_config import cfg

from compute import exception, metrics
from compute.clock import ClockWatch
from compute.db import claims, claims_together, hosts, server_groups
from compute.db.claims import Claimed
from compute.db.session import Database
from compute.objects.request_spec import RequestSpec, Selection
from compute.rpc.scheduler import Select
from compute.scheduler import filters, weights
from compute.scheduler.decide import Decision, Rules, decide
from compute.scheduler.host_state import HostState
from compute.scheduler.host_states import HostStates
from compute.scheduler.request import Request

LOG = logging.getLogger(__name__)
MAX_ROUNDS = 200
# So often a choice is made again because members of its group with a soft policy moved; then it is good enough.
MAX_MOVES = 50


class SelectEndpoint(Select):
    """One scheduler. Any number of them may work on the same database; the claim is what they meet at."""

    def __init__(self, database: Database, conf: cfg.ConfigOpts, states: HostStates | None = None,
                 clock: ClockWatch | None = None) -> None:
        options = conf.scheduler
        self._db, self.clock, self._down_time = database, clock or ClockWatch(), conf.conductor.service_down_time
        self._rules = Rules(
            filters=filters.load(conf), weights=weights.load(conf), keep=options.max_attempts,
            subset=options.host_subset_size, shuffle=options.shuffle_best_same_weighed_hosts,
            max_reasons=options.max_reasons)
        self._dice = random.Random()
        self.states = states or HostStates(database, conf)

    def select(self, context: Any, *, spec: RequestSpec) -> Selection:
        """Choose a host and claim it. A server that has its claim already gets the same host again.

        :raises NoValidHost: no host fits, after a look at the newest state of all.
        :raises Unavailable: ``clock_set``: hosts seem down since the clock was set, and have not reported again yet.
        :raises NotFound: ``instance_deleted``: the server is gone.
        :raises Conflict: ``already_claimed``: it has a host, which the request excludes.
        """
        begun = time.monotonic()
        self.states.refresh()
        try:
            with metrics.Timer('compute_scheduler_decision_seconds', 'refused') as timer:
                decision, claimed = self._place(spec)
                timer.labels = ('placed',)
        except exception.Conflict as error:
            return self._settled(spec, error)
        LOG.info('server %s placed on %s, one of %d hosts, in %.1f ms', spec.instance_uuid, claimed.host,
                 decision.considered, (time.monotonic() - begun) * 1000)
        return self._selection(decision, claimed)

    def _selection(self, decision: Decision, claimed: Claimed) -> Selection:
        return Selection(
            host_id=claimed.host_id, host=claimed.host, node=claimed.node,
            alternates=tuple(each.host for each in decision.ranked[1:]), considered=decision.considered,
            rejections=decision.rejections(self._rules.max_reasons))

    def select_many(self, context: Any, *, specs: tuple[RequestSpec, ...]) -> dict[str, Selection]:
        """Choose hosts one after the other, each charged for the next, and claim all of them in one transaction.

        Nothing is placed when one claim fails: each is asked for alone then, and decided anew.
        """
        begun = time.monotonic()
        self.states.refresh()
        chosen = [pair for pair in map(self._choose, specs) if pair is not None]
        claimed = self._claim_together(chosen) if chosen else {}
        if not claimed:
            return {}
        took = time.monotonic() - begun
        for _ in chosen:
            metrics.observe('compute_scheduler_decision_seconds', took / len(chosen), 'placed')
        LOG.info('%d servers of %d placed together on %d of %d hosts, in %.1f ms', len(chosen), len(specs),
                 len(claimed), chosen[0][1].considered, took * 1000)
        return {request.spec.instance_uuid: self._selection(decision, claimed[decision.ranked[0].id])
                for request, decision in chosen}

    def _choose(self, spec: RequestSpec) -> tuple[Request, Decision] | None:
        """Decide on a server in no group and charge its host; None when no host fits, as far as is known."""
        if spec.group is not None:
            return None
        request = Request(spec)
        with self.states.lock:
            decision = decide(self.states.all(), request, self._rules, self._dice)
            if not decision.ranked:
                return None
            self.states.assume(decision.ranked[0].id, request)
        return request, decision

    def _claim_together(self, chosen: list[tuple[Request, Decision]]) -> dict[int, Claimed]:
        by_host: dict[int, list[Request]] = defaultdict(list)
        for request, decision in chosen:
            by_host[decision.ranked[0].id].append(request)
        wanted = [(request.spec, host_id) for host_id, requests in by_host.items() for request in requests]
        claimed: dict[int, Claimed] = {}
        try:
            claimed = self._db.transaction(lambda connection: claims_together.take_together(connection, wanted))
        except claims.Refused:
            metrics.count('compute_scheduler_lost_claims_total')
        finally:
            for host_id, requests in by_host.items():
                if host_id in claimed:
                    self.states.confirm(host_id, claimed[host_id].generation, *requests)
                else:
                    for request in requests:
                        self.states.abandon(host_id, request)
        return claimed

    def _place(self, spec: RequestSpec) -> tuple[Decision, Claimed]:
        request = Request(spec)
        newest = False
        for number in range(MAX_ROUNDS):
            with self.states.lock:
                decision = decide(self.states.all(), request, self._rules, self._dice)
                if decision.ranked:
                    self.states.assume(decision.ranked[0].id, request)
            if decision.ranked:
                claimed = self._attempt(request, decision.ranked[0], exact=number < MAX_MOVES)
                if claimed is not None:
                    return decision, claimed
                newest = False
            elif newest:
                raise self._no_host(spec, decision)
            else:
                self._look_closely(request)
                newest = True
        raise self._no_host(spec, decision)

    def _attempt(self, request: Request, host: HostState, *, exact: bool) -> Claimed | None:
        """Claim a host. None: decide again, without it if it refused, or with its group's members as they are now.

        :param exact: a soft policy of the group must still prefer this host.
        """
        try:
            return self._claim(request, host, dict(request.members) if exact else None)
        except claims.MembersMoved:
            LOG.debug('server %s: the hosts of its group changed', request.spec.instance_uuid)
            self._join_again(request)
        except claims.Refused:
            self._lost(request, host)
        return None

    def _claim(self, request: Request, host: HostState, members: dict[str, int] | None) -> Claimed:
        """Claim a host that was charged in memory, and settle that charge. :raises Refused:"""
        claimed = None
        try:
            claimed = self._db.transaction(lambda connection: claims.take_or_refuse(
                connection, request.spec, host.id, members))
        finally:
            if claimed is not None and claimed.fresh:
                self.states.confirm(host.id, claimed.generation, request)
            else:
                self.states.abandon(host.id, request)
        return claimed

    def _lost(self, request: Request, host: HostState) -> None:
        LOG.debug('server %s: host %s refused the claim', request.spec.instance_uuid, host.host)
        metrics.count('compute_scheduler_lost_claims_total')
        request.lost.add(host.id)
        self.states.see(host.id)
        self._join_again(request)

    def _look_closely(self, request: Request) -> None:
        """Before anybody is told no: see the newest of everything. What is in memory may be a moment old."""
        self.states.refresh(force=True)
        self._join_again(request)
        request.now = time.time()

    def _join_again(self, request: Request) -> None:
        if (group := request.group) is not None:
            request.join(self._db.read(lambda connection: server_groups.for_scheduler(
                connection, group.uuid, without=request.spec.instance_uuid)))

    def _no_host(self, spec: RequestSpec, decision: Decision) -> exception.ComputeError:
        error = decision.error(self._rules.max_reasons)
        seem_down = any(drop.filter == 'ComputeFilter' for drop in decision.drops)
        if seem_down and not self.clock.was_steady(self._down_time):
            return exception.Unavailable('The clock was set a moment ago: hosts that seem down may report again',
                                         code='clock_set')
        metrics.count('compute_scheduler_no_valid_host_total')
        for drop in decision.drops:
            metrics.count('compute_scheduler_rejections_total', drop.filter, by=drop.count)
        LOG.info('server %s: %s', spec.instance_uuid, error.message)
        return error

    def _settled(self, spec: RequestSpec, error: exception.Conflict) -> Selection:
        """Answer a request that was served before, when its first answer got lost on the way."""
        name = error.details.get('host')
        if error.code != 'already_claimed' or name is None or name in spec.excluded:
            raise error
        host = self._db.read(lambda connection: hosts.find(connection, name))
        if host is None:
            raise error
        return Selection(host_id=host.id, host=host.host, node=host.node)
