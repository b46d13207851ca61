"""compute-worker: drives the hypervisor of this host."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['worker'], 'compute-worker')
