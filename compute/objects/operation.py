"""The ledger's values: a user's action as a row, its stages, and how it ended."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, fields, replace
from typing import Any

from compute import exception
from compute.objects.error_codes import meaning
from compute.objects.instance import Instance
from compute.objects.nic import Nic

QUEUED, RUNNING, UNDOING = 'queued', 'running', 'undoing'
DONE, FAILED, CANCELLED = 'done', 'failed', 'cancelled'
OPEN = (QUEUED, RUNNING, UNDOING)
ENDED = (DONE, FAILED, CANCELLED)


@dataclass(frozen=True, kw_only=True)
class OperationError:
    """Why an operation failed.

    Users see ``code`` and ``shown``. Everything else is for operators: ``message``, ``hint`` and ``details`` may name
    hosts, paths and URLs, and quote libraries. ``for_users`` is a sentence that its author wrote for users; without it,
    as from a peer of a release before, the meaning of the code is shown. ``left_behind``: the host could not undo what
    its leg did.
    """

    code: str = 'internal'
    message: str = ''
    for_users: str | None = None
    retryable: bool = False
    stage: str = ''
    hint: str | None = None
    status: int = 500
    details: dict[str, Any] = field(default_factory=dict)
    left_behind: bool = False

    @classmethod
    def of(cls, error: exception.ComputeError, stage: str) -> OperationError:
        """Return an error as the ledger keeps it."""
        return cls(code=error.code, message=error.message, for_users=error.for_users, retryable=error.retryable,
                   stage=stage, hint=error.hint, status=error.status,
                   details={key: value for key, value in error.details.items() if key != exception.FOR_USERS})

    @property
    def shown(self) -> str:
        """The sentence for users."""
        return self.for_users or meaning(self.code)

    @property
    def text(self) -> str:
        """The text for operators where only one text fits."""
        return f'{self.message} [{self.code}]' + (f' Hint: {self.hint}.' if self.hint else '')


@dataclass(frozen=True, kw_only=True)
class OperationRef:
    """What a hint carries of an operation: which one it is, of which kind, on which server, for which request."""

    operation_id: int
    kind: str
    instance_uuid: str
    request_id: str = ''

    def __str__(self) -> str:
        return f'operation {self.operation_id} ({self.kind} of {self.instance_uuid})'


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One action on one server. ``owner`` is ``binary@host``; the lease is its for as long as it renews it.

    ``args`` is what the user asked, ``plan`` what the conductor decided and earlier legs found: values of the kind's
    types, encoded. ``leg`` counts from 0; while the operation is UNDOING it is the leg that is undone, and ``error``
    says why.
    """

    id: int = 0
    request_id: str
    kind: str
    instance_uuid: str
    project_id: str = ''
    user_id: str = ''
    args: dict[str, Any] = field(default_factory=dict, repr=False)
    plan: dict[str, Any] = field(default_factory=dict, repr=False)
    state: str = QUEUED
    stage: str = ''
    leg: int = 0
    host: str | None = None
    owner: str | None = None
    incarnation: str | None = None
    lease_until: datetime.datetime | None = None
    attempt: int = 0
    deadline_at: datetime.datetime | None = None
    created_at: datetime.datetime | None = None
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None
    error: OperationError | None = None

    @property
    def ref(self) -> OperationRef:
        """What a hint carries of it."""
        return OperationRef(operation_id=self.id, kind=self.kind, instance_uuid=self.instance_uuid,
                            request_id=self.request_id)


@dataclass(frozen=True, kw_only=True)
class OperationEvent:
    """One stage of an operation as it went on one host. ``result`` is Success, Error or None while it runs."""

    id: int = 0
    operation_id: int = 0
    name: str
    host: str = ''
    attempt: int = 0
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    result: str | None = None
    details: str | None = None


@dataclass(frozen=True, kw_only=True)
class StageBegan:
    """A stage that began ``ago`` seconds before it is told; it lasts until the next one, or still."""

    name: str
    ago: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a worker needs to go on with an operation: nothing else has to be read.

    ``noted``: the stage that was written with its lease; the operation shows the one before that. ``files``: contents,
    in base64, of the files at ``instance.file_paths``; a host gets them with each operation that it begins.
    """

    operation: Operation
    instance: Instance
    noted: str | None = None
    files: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class InstanceUpdate:
    """What a host may say of a server it runs. None leaves a field as it is; ``clear_fault`` forgets the last fault."""

    vm_state: str | None = None
    power_state: int | None = None
    nics: tuple[Nic, ...] | None = None
    launched: bool = False
    clear_fault: bool = False
    root_device_name: str | None = None

    def then(self, later: InstanceUpdate) -> InstanceUpdate:
        """Return both in one: what ``later`` says, and what this says where that is silent."""
        said = {each.name: value for each in fields(later) if (value := getattr(later, each.name)) != each.default}
        return replace(self, **said)
