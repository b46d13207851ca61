"""compute-conductor: operations that span hosts, the reaper, and what hosts report."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['conductor'], 'compute-conductor')
