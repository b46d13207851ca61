"""compute-network: the built-in Network API."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['network'], 'compute-network')
