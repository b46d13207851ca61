"""Move a server to another host while it is off; it waits for confirmation afterwards."""

from compute.objects.kinds.kind import CONDUCTOR, MOVES, Kind
from compute.objects.kinds.moving import MOVE_DEADLINE, MOVE_GUARD, MOVE_STAGES, MoveArgs, MoveCarry, MovePlan

MIGRATE = Kind[MoveArgs, MovePlan](
    name='migrate', args=MoveArgs, plan=MovePlan, carry=MoveCarry, guard=MOVE_GUARD, stages=MOVE_STAGES,
    deadline=MOVE_DEADLINE, begins=CONDUCTOR, pool=MOVES, loads_disk=True)
