"""An agent in a process of its own, green or not: wires one network, says that it did, ends with its input."""

from __future__ import annotations

import sys

from compute import concurrency

concurrency.patch()

import json  # noqa: E402
import socket  # noqa: E402

from compute.builtin.network.agent.agent import Agent  # noqa: E402
from compute.objects.value import decode  # noqa: E402
from compute.objects.wiring import NetworkWiring  # noqa: E402
from tests.contract.network_agent.making import HOST, Daemon, make_conf, wait_for  # noqa: E402


def main() -> None:
    """Read options and the network as JSON from the arguments; the first argument is a socket to talk over."""
    values, network = json.loads(sys.argv[2]), decode(NetworkWiring, json.loads(sys.argv[3]))
    daemon = Daemon()
    daemon.networks = [network]
    agent = Agent(make_conf(**values), daemon, HOST)  # type: ignore[arg-type]
    agent.start()
    wait_for(lambda: len(daemon.up) == len(network.ports), 'ports up', 60)
    with socket.socket(fileno=int(sys.argv[1])) as talk:
        talk.sendall(b'up')
        talk.recv(1)
    agent.stop()


if __name__ == '__main__':
    main()
