"""compute-metadata: answers guests at 169.254.169.254."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-metadata')
    return service.main(['metadata'], about.name, description=about.does, epilog=about.epilog)
