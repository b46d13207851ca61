"""The form of a kind's declaration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A named step. ``redo``: after a crash it may simply be done again. Otherwise it is undone and the work fails."""

    name: str
    task_state: str | None
    redo: bool


@dataclass(frozen=True)
class Kind:
    """``deadline`` in seconds; ``final`` is the vm_state a failure leaves (None: as it was before)."""

    name: str
    stages: tuple[Stage, ...]
    deadline: int
    final_on_failure: str | None = None

    def stage(self, name: str) -> Stage:
        """Return a stage by name. :raises KeyError: the kind has none such."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(f'{self.name} has no stage {name!r}')

    @property
    def first(self) -> Stage:
        """The stage it begins with."""
        return self.stages[0]
