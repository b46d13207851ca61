"""compute-image: the built-in Image API."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['image'], 'compute-image')
