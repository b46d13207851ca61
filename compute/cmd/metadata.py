"""compute-metadata: answers guests at 169.254.169.254."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['metadata'], 'compute-metadata')
