"""compute-network-agent: makes this host's part of the built-in networks. ``--cleanup`` removes all of it and ends."""

from compute import concurrency

concurrency.patch()


def main() -> int:
    """Run it, or clean up."""
    import sys

    from compute import service
    if '--cleanup' in sys.argv[1:]:
        return cleanup([word for word in sys.argv[1:] if word != '--cleanup'])
    from compute.cmd.programs import program
    about = program('compute-network-agent')
    return service.main(['network_agent'], about.name, description=about.does, epilog=about.epilog)


def cleanup(argv: list[str]) -> int:
    """Remove what the agent made on this host, and print each thing removed. Needs neither server nor broker."""
    from compute.builtin.network.agent.agent import Agent
    from compute.configure import configure
    for change in Agent.cleanup(configure(argv, 'compute-network-agent')):
        print(change)
    return 0
