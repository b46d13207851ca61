"""Who may: oslo.policy with rules that are given as data, asked with the loaded target."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from oslo_config import cfg
from oslo_policy import opts as policy_opts
from oslo_policy import policy

from compute.context import RequestContext
from compute.exception import Forbidden
from compute.rest.checks import SMALL_ROLES, Compiled

_LOOK_EVERY = 5.0


class Policy:
    """The rules of one API. ``rules`` are oslo.policy defaults; the operator's policy file overrides them."""

    def __init__(self, conf: cfg.ConfigOpts, rules: Iterable[policy.RuleDefault]) -> None:
        policy_opts.set_defaults(conf)
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.suppress_deprecation_warnings = True
        self._enforcer.register_defaults(list(rules))
        self._next_look = 0.0
        self._rules: dict[str, Any] = {}
        self._compiled = Compiled(self._enforcer)
        self._look()

    def knows(self, rule: str) -> bool:
        """Tell whether a rule of that name exists."""
        return rule in self._enforcer.registered_rules

    def allows(self, context: RequestContext, rule: str, target: Any = None) -> bool:
        """Tell whether the caller may. Without a target the question is about the caller's own project."""
        self._look()
        return self._compiled.rule(rule)(_target(context, target), _credentials(context))

    def settle_admin(self, context: RequestContext, rule: str) -> None:
        """Let a rule say whether the caller counts as an administrator: who sees all projects, whom no lock stops."""
        context.is_admin = self.allows(context, rule)
        context.__dict__.pop('_credentials', None)

    def _look(self) -> None:
        """Take changes of the policy file in, every few seconds: looking at each check costs more than the check."""
        if time.monotonic() >= self._next_look:
            self._enforcer.load_rules()
            rules = dict(self._enforcer.rules)
            if len(rules) != len(self._rules) or any(self._rules.get(name) is not rules[name] for name in rules):
                self._rules, self._compiled = rules, Compiled(self._enforcer)
            self._next_look = time.monotonic() + _LOOK_EVERY

    def enforce(self, context: RequestContext, rule: str, target: Any = None) -> None:
        """Return if the caller may. :raises Forbidden: names the rule."""
        if not self.allows(context, rule, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.", code='policy')


def _credentials(context: RequestContext) -> dict[str, Any]:
    """Return what rules compare with, worked out once for each request."""
    known: dict[str, Any] | None = context.__dict__.get('_credentials')
    if known is None:
        context.__dict__['_credentials'] = known = _credentials_of(context)
    return known


def _credentials_of(context: RequestContext) -> dict[str, Any]:
    roles = list(context.roles or ())
    found = {'user_id': context.user_id, 'project_id': context.project_id, 'roles': roles,
             SMALL_ROLES: [role.lower() for role in roles],
             'is_admin': bool(context.is_admin), 'domain_id': context.domain_id,
             'system_scope': context.system_scope, 'user_domain_id': context.user_domain_id,
             'project_domain_id': context.project_domain_id}
    # oslo.policy compares texts: without this, no project on both sides would count as the same project.
    return {name: value for name, value in found.items() if value is not None}


def _target(context: RequestContext, target: Any) -> dict[str, Any]:
    if target is None:
        return {'project_id': context.project_id, 'user_id': context.user_id}
    if isinstance(target, dict):
        return target
    names = ('id', 'project_id', 'user_id', 'domain_id', 'owner', 'visibility', 'shared', 'member_id')
    return {name: getattr(target, name) for name in names if hasattr(target, name)}
