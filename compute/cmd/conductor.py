"""compute-conductor: operations that span hosts, the reaper, and what hosts report."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-conductor')
    return service.main(['conductor'], about.name, description=about.does, epilog=about.epilog)
