"""The ``migrate`` of one host."""

from compute.worker.moving import Move


class Migrate(Move):
    """See ``moving``: a migration keeps the flavor."""
