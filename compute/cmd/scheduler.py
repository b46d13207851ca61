"""compute-scheduler: chooses a host for each server."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-scheduler')
    return service.main(['scheduler'], about.name, description=about.does, epilog=about.epilog)
