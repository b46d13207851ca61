"""compute-scheduler: chooses a host for each server."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['scheduler'], 'compute-scheduler')
