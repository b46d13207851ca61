"""compute-identity: the built-in Identity API."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-identity')
    return service.main(['identity'], about.name, description=about.does, epilog=about.epilog)
