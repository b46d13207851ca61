"""compute-api: the Compute API."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-api')
    return service.main(['api'], about.name, description=about.does, epilog=about.epilog)
