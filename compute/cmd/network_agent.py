"""compute-network-agent: makes this host's part of the built-in networks."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it."""
    from compute import service
    return service.main(['network_agent'], 'compute-network-agent')
