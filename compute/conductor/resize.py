"""The ``resize`` of a conductor."""

from compute.conductor.moving import ConductorMove


class ConductorResize(ConductorMove):
    """Chooses a host for the new flavor, the current one included if ``allow_resize_to_same_host`` says so."""

    def __init__(self) -> None:
        super().__init__(may_stay=True)
