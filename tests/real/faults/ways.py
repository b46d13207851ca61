"""How to ask for each kind of operation so that each of its stages is reached: the rows of the table of faults.

Stages come from the kinds' own declarations. A kind that is new needs a ``Way`` here (a test says so); a stage that is
new in a kind is covered at once, and if no way reaches it, the matrix fails and names it.
"""

from __future__ import annotations

from dataclasses import dataclass

from compute.objects.kinds import KINDS, kind_of
from tests.real.faults.points import point
from tests.real.faults.seams import AFTER, BEFORE, DEAF, END, HANDING_OVER, LEG_END, QUEUED, SENDING

NEW, ACTIVE, STOPPED, LOST = 'new', 'active', 'stopped', 'lost'
PAUSED, SUSPENDED, RESIZED = 'paused', 'suspended', 'resized'
"""What a way begins with: no server, one in a vm_state, or one in ERROR that has no host."""
GONE = 'gone'
LARGER = '<larger>'
"""In a request: the id of a flavor with more memory."""
SHORT = (QUEUED, SENDING)
"""Edges at which the reaper may not leave an operation for long: nobody holds its lease there."""


@dataclass(frozen=True)
class Way:
    """One request. ``stages`` empty: all of the kind. ``ends``: vm_state of the server when it went well.

    ``count``: how many servers are asked for at once; the first of them is looked at, the others are audited.
    """

    name: str
    kind: str
    begins: str
    ends: str
    action: dict[str, object] | None = None
    stages: tuple[str, ...] = ()
    edges: tuple[str, ...] = (QUEUED, END)
    count: int = 1

    def all_stages(self) -> tuple[str, ...]:
        """Return the stages that this way passes, from the kind's declaration unless it names them."""
        return self.stages or tuple(stage.name for stage in kind_of(self.kind).stages)


_MOVING = (QUEUED, SENDING, LEG_END, END)
WAYS = (
    Way('create', 'create', NEW, ACTIVE, edges=(QUEUED, HANDING_OVER, SENDING, END)),
    Way('create two', 'create', NEW, ACTIVE, stages=('scheduling',), edges=(QUEUED, HANDING_OVER), count=2),
    Way('delete', 'delete', ACTIVE, GONE, edges=(QUEUED, SENDING, END)),
    Way('delete without host', 'delete', LOST, GONE, stages=('releasing',), edges=()),
    Way('start', 'start', STOPPED, ACTIVE, {'os-start': None}),
    Way('stop', 'stop', ACTIVE, STOPPED, {'os-stop': None}),
    Way('reboot', 'reboot', ACTIVE, ACTIVE, {'reboot': {'type': 'SOFT'}}, stages=('rebooting', 'reboot_started')),
    Way('reboot not obeyed', 'reboot', ACTIVE, ACTIVE, {'reboot': {'type': 'SOFT'}}, stages=DEAF, edges=()),
    Way('hard reboot', 'reboot_hard', ACTIVE, ACTIVE, {'reboot': {'type': 'HARD'}}, edges=(END,)),
    Way('pause', 'pause', ACTIVE, PAUSED, {'pause': None}),
    Way('unpause', 'unpause', PAUSED, ACTIVE, {'unpause': None}),
    Way('suspend', 'suspend', ACTIVE, SUSPENDED, {'suspend': None}),
    Way('resume', 'resume', SUSPENDED, ACTIVE, {'resume': None}),
    Way('resize', 'resize', ACTIVE, RESIZED, {'resize': {'flavorRef': LARGER}}, edges=_MOVING),
    Way('migrate', 'migrate', ACTIVE, RESIZED, {'migrate': None}, edges=_MOVING),
    Way('confirm', 'confirm_resize', RESIZED, ACTIVE, {'confirmResize': None}, edges=(QUEUED, SENDING, END)),
    Way('revert', 'revert_resize', RESIZED, ACTIVE, {'revertResize': None}, edges=_MOVING),
)


@dataclass
class Cell:
    """One operation, held at one point while a fault happens."""

    way: Way
    stage: str
    when: str
    server: str = ''
    uuid: str = ''

    @property
    def title(self) -> str:
        """How the table names it."""
        when = '' if self.stage in (*self.way.edges, END) else f', {self.when}'
        return f'{self.way.name}: {self.stage}{when}'

    @property
    def point(self) -> str:
        """The point's name."""
        return point(self.way.kind, self.stage, self.when, self.server)

    @property
    def short(self) -> bool:
        """Tell whether it has to be reached last."""
        return self.stage in SHORT


def cells(ways: tuple[Way, ...] = WAYS) -> list[Cell]:
    """Return every point of every way."""
    found = []
    for way in ways:
        found += [Cell(way, stage, when) for stage in way.all_stages() for when in (BEFORE, AFTER)]
        found += [Cell(way, edge, BEFORE) for edge in way.edges]
    return found


def unreachable(names: tuple[str, ...] = tuple(KINDS), ways: tuple[Way, ...] = WAYS) -> list[str]:
    """Return the stages, and the kinds, that no way reaches."""
    reached = {(way.kind, stage) for way in ways for stage in way.all_stages()}
    return [f'{name}: {stage.name}' for name in names for stage in kind_of(name).stages
            if (name, stage.name) not in reached]
