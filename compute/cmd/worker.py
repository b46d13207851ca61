"""compute-worker: drives the hypervisor of this host."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-worker')
    return service.main(['worker'], about.name, description=about.does, epilog=about.epilog)
