"""compute-standalone: every daemon in this one process."""

from compute import concurrency

concurrency.patch()

ORDER = ['identity', 'image', 'network', 'conductor', 'scheduler', 'api', 'metadata', 'network_agent', 'worker']


def main() -> int:
    """Run them, those first that others call."""
    from compute import service
    return service.main(ORDER, 'compute-standalone')
