"""The ``migrate`` of a conductor."""

from compute.conductor.moving import ConductorMove


class ConductorMigrate(ConductorMove):
    """Chooses another host, or checks the requested one."""

    def __init__(self) -> None:
        super().__init__(may_stay=False)
