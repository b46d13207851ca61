"""Rules of oslo.policy made into plain functions.

oslo.policy inspects the signature of every check each time it is asked, which costs more than the answer: a request
asks five to ten rules. Here the tree of a rule is walked once; what is asked then are closures. The answers are the
same, also where a rule is not known (no) or a check of another package does not find what it looks for in the target
(no).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from oslo_policy import _checks

Answer = Callable[[dict[str, Any], dict[str, Any]], bool]
"""Takes the target and the caller's credentials."""


SMALL_ROLES = '_small_roles'
"""Where credentials have the names of roles in small letters: roles are compared without regard to case."""
_NAMES = ('user_id', 'project_id', 'domain_id', 'user_domain_id', 'project_domain_id', 'system_scope')
_WHOLE = re.compile(r'%\((\w+)\)s$')


class Compiled:
    """The rules of an enforcer at one moment, each made into a function when it is first asked."""

    def __init__(self, enforcer: Any) -> None:
        self._enforcer = enforcer
        self._made: dict[str, Answer] = {}

    def rule(self, name: str) -> Answer:
        """Return the function of a rule. :raises KeyError: there is none of that name."""
        made = self._made.get(name)
        if made is None:
            self._made[name] = made = self._compile(self._enforcer.rules[name], name)
        return made

    def _compile(self, check: Any, name: str) -> Answer:
        kind = type(check)
        if kind is _checks.TrueCheck:
            return lambda target, credentials: True
        if kind is _checks.FalseCheck:
            return lambda target, credentials: False
        if kind is _checks.NotCheck:
            inner = self._compile(check.rule, name)
            return lambda target, credentials: not inner(target, credentials)
        if kind is _checks.AndCheck:
            parts = [self._compile(part, name) for part in check.rules]
            return lambda target, credentials: all(part(target, credentials) for part in parts)
        if kind is _checks.OrCheck:
            parts = [self._compile(part, name) for part in check.rules]
            return lambda target, credentials: any(part(target, credentials) for part in parts)
        if kind is _checks.RuleCheck:
            return self._reference(check.match)
        if kind is _checks.RoleCheck and '%' not in check.match:
            role = check.match.lower()
            return lambda target, credentials: role in credentials[SMALL_ROLES]
        if kind is _checks.GenericCheck and check.kind in _NAMES and (key := _WHOLE.match(check.match)):
            return _same(check.kind, key[1])
        return self._leaf(check, name)

    def _reference(self, name: str) -> Answer:
        def ask(target: dict[str, Any], credentials: dict[str, Any]) -> bool:
            try:  # made late: rules may refer to one another in any order
                return self.rule(name)(target, credentials)
            except KeyError:
                return False
        return ask

    def _leaf(self, check: Any, name: str) -> Answer:
        enforcer = self._enforcer
        if len(inspect.getfullargspec(check.__call__).args) > 4:
            return lambda target, credentials: bool(check(target, credentials, enforcer, name))
        return lambda target, credentials: bool(check(target, credentials, enforcer))


def _same(name: str, key: str) -> Answer:
    """Compare a credential with a value of the target, as texts; what is not there is not the same."""
    def ask(target: dict[str, Any], credentials: dict[str, Any]) -> bool:
        return name in credentials and key in target and str(credentials[name]) == str(target[key])
    return ask
