"""compute-image: the built-in Image API."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-image')
    return service.main(['image'], about.name, description=about.does, epilog=about.epilog)
