"""compute-standalone: every daemon in this one process."""

from compute import concurrency

concurrency.patch()

ORDER = ['identity', 'image', 'network', 'conductor', 'scheduler', 'api', 'metadata', 'network_agent', 'worker']


def main() -> int:
    """Run them, those first that others call."""
    from compute import service
    from compute.cmd.programs import program
    about = program('compute-standalone')
    return service.main(ORDER, about.name, description=about.does, epilog=about.epilog)
