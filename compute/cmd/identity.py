"""compute-identity: the built-in Identity API."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['identity'], 'compute-identity')
