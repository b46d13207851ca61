"""The form of a declaration: everything that generic code knows of a kind of operation.

Conductors, workers, the reaper, the auditor, the API and the documentation read declarations. None of them tests a kind
by its name; see ``doc/architecture/ledger.rst``.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from compute.objects.value import decode, encode

A = TypeVar('A')
P = TypeVar('P')

# Places: where a stage runs. HOST is where the server is; SOURCE and DESTINATION are named by the plan of a move.
CONDUCTOR, HOST, SOURCE, DESTINATION = 'conductor', 'host', 'source', 'destination'
# Which pool of a worker runs it.
BUILDS, ACTIONS, MOVES = 'builds', 'actions', 'moves'
# What becomes of the server when it fails: its state is kept, it is put in ERROR, or the conductor's handler decides.
KEEP, ERROR, ASK = 'keep', 'error', 'ask'
# What the reaper does when the host has no heartbeat: it fails the operation, or lets the conductor's handler go on.
FAIL, GO_ON = 'fail', 'go-on'
# What becomes of the server's claim when it succeeds: nothing, or it is released with the server.
UNCHANGED, RELEASE = 'unchanged', 'release'
ANY = None
"""In a guard: every state."""
ALL = ('*',)
"""In ``supersedes``: every kind."""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """When an operation is allowed. ``task_states`` holds None for an idle server.

    A guard that looks at vm_state also requires that the server was launched once, unless ``needs_launch`` is False.
    ``needs_host_up``: the server's host has a heartbeat.
    """

    vm_states: tuple[str, ...] | None = ANY
    task_states: tuple[str | None, ...] | None = (None,)
    needs_host: bool = True
    needs_host_up: bool = False
    needs_launch: bool = True
    obeys_lock: bool = True


@dataclass(frozen=True)
class Stage:
    """One named step.

    :param shows: the task_state of the server while it runs. :param redo: it is idempotent: after a crash it simply
        runs again. A stage without ``redo`` is undone first. :param undo: it has an inverse, which runs when a later
        leg fails.
    """

    name: str
    shows: str
    redo: bool
    at: str = HOST
    undo: bool = False


@dataclass(frozen=True)
class Leg:
    """Consecutive stages at one place."""

    place: str
    stages: tuple[Stage, ...]

    @property
    def has_undo(self) -> bool:
        """Whether it is undone when a later leg fails."""
        return any(stage.undo for stage in self.stages)


@dataclass(frozen=True)
class NoArgs:
    """The arguments of an operation without parameters, and the plan of one about which nothing is decided."""


def secret() -> Any:
    """Return the field of an argument, or of a plan, that is never logged nor shown, and removed when the operation
    ends."""
    return dataclasses.field(default=None, repr=False, metadata={'secret': True})


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[A, P]):
    """A declaration.

    :param action: its name among the instance actions of the API, where that is not the kind's.
    :param args: what the user asked, a frozen dataclass. :param plan: what the conductor decided, likewise. The plan
        of a kind with stages at SOURCE or DESTINATION has fields of these names, host names.
    :param carry: what a leg finds for the legs after it: a dataclass whose fields are fields of the plan, too.
    :param begins: the place that is notified first; it may hand the operation to another.
    :param supersedes: kinds of open operations on the same server that this one cancels.
    :param loads_disk: the I/O filter and weigher of the scheduler count it while it runs on a host.
    :param deadline: seconds from the request to the end.
    """

    name: str
    guard: Guard
    stages: tuple[Stage, ...]
    deadline: int
    action: str = ''
    args: type[A] = NoArgs  # type: ignore[assignment]
    plan: type[P] = NoArgs  # type: ignore[assignment]
    carry: type[Any] = NoArgs
    begins: str = HOST
    supersedes: tuple[str, ...] = ()
    pool: str = ACTIONS
    loads_disk: bool = False
    claim: str = UNCHANGED
    on_failure: str = KEEP
    survives_host_down: str = FAIL

    @property
    def verb(self) -> str:
        """The name that users see: in instance actions and in refusals."""
        return self.action or self.name

    @property
    def first(self) -> Stage:
        """The stage that the server shows once the operation is accepted."""
        return self.stages[0]

    def stage(self, name: str) -> Stage:
        """Return a stage by name. :raises KeyError: the kind has no such stage."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(f'{self.name} has no stage {name!r}')

    @functools.cached_property
    def legs(self) -> tuple[Leg, ...]:
        """The stages by place, in order."""
        groups = itertools.groupby(self.stages, key=lambda stage: stage.at)
        return tuple(Leg(place, tuple(stages)) for place, stages in groups)

    def cancels(self, other: str) -> bool:
        """Return whether this operation cancels an open one of another kind on the same server."""
        return self.supersedes == ALL or other in self.supersedes

    def args_of(self, stored: dict[str, Any]) -> A:
        """Return the arguments of an operation from its row. :raises TypeError: a required one is missing."""
        args: A = decode(self.args, stored)
        return args

    def plan_of(self, stored: dict[str, Any]) -> P:
        """Return the plan of an operation from its row."""
        plan: P = decode(self.plan, stored)
        return plan

    def without_secrets(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Return stored arguments without those that are secret."""
        return _without(_secrets(self.args), stored)

    @functools.cached_property
    def has_secret_plan(self) -> bool:
        """Whether a plan may hold something that is secret."""
        return bool(_secrets(self.plan))

    def plan_without_secrets(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Return a stored plan without what is secret."""
        return _without(_secrets(self.plan), stored)


def _secrets(values: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(values) if field.metadata.get('secret')}


def _without(secrets: set[str], stored: dict[str, Any]) -> dict[str, Any]:
    return {name: encode(value) for name, value in stored.items() if name not in secrets}


PlainKind = Kind[NoArgs, NoArgs]
"""A kind without arguments, about which a conductor decides nothing."""
