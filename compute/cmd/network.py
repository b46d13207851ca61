"""compute-network: the built-in Network API."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-network')
    return service.main(['network'], about.name, description=about.does, epilog=about.epilog)
