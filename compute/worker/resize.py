"""The ``resize`` of one host."""

from compute.worker.moving import Move


class Resize(Move):
    """See ``moving``: a resize may stay on its host."""
