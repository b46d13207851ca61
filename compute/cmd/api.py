"""compute-api: the Compute API."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['api'], 'compute-api')
