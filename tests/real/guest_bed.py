"""What tests of the network agent stand on: an agent, the daemon it listens to, guests, and a metadata service."""

from __future__ import annotations

import dataclasses
import os
from http.server import BaseHTTPRequestHandler
from typing import Any

from compute.builtin.network.agent.agent import Agent
from compute.objects.wiring import NetworkWiring, PortWiring
from tests.contract.network_agent.making import HOST, Daemon, make_conf, make_network, wait_for
from tests.real.guest_net import Guest

SECRET = 'shared'


class Upstream(BaseHTTPRequestHandler):
    """A compute-metadata that tells what it was asked."""

    protocol_version = 'HTTP/1.1'

    def do_GET(self) -> None:
        self._answer(b'ami-id\n' if self.path == '/latest/meta-data/' else b'x' * 300000)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers['Content-Length'])))

    def _answer(self, body: bytes) -> None:
        self.server.asked.append((self.command, self.path, self.headers.items()))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Bed:
    """An agent, its daemon, and guests on the ports that it wired."""

    def __init__(self, state_dir: str, url: str, **values: Any) -> None:
        self.conf = make_conf(state_dir=state_dir, metadata_url=url, metadata_shared_secret=SECRET, **values)
        self.folder = os.path.dirname(state_dir)
        self.daemon = Daemon()
        self.agent = self._agent()
        self.guests: list[Guest] = []

    def _agent(self) -> Agent:
        return Agent(self.conf, self.daemon, HOST)  # type: ignore[arg-type]

    def restart(self) -> None:
        """Replace the agent by a new one."""
        self.agent.stop()
        self.agent = self._agent()
        self.agent.start()

    def wire(self, network: NetworkWiring) -> None:
        """Wire a network's ports one by one, as the daemon does."""
        for port in network.ports:
            while port.id in self.daemon.up:
                self.daemon.up.remove(port.id)
            self.agent.endpoints()[0].wire(None, network=dataclasses.replace(network, ports=()), port=port)
        self.daemon.networks = [known for known in self.daemon.networks if known.id != network.id] + [network]
        wait_for(lambda: {port.id for port in network.ports} <= set(self.daemon.up), 'ports up')

    def guest(self, port: PortWiring) -> Guest:
        """Switch a guest on."""
        self.guests.append(Guest(port, self.folder))
        return self.guests[-1]

    def boot(self, *ports: PortWiring, gateway: str = '10.1.0.1', **values: Any) -> list[Guest]:
        """Wire a network and switch on guests that have their addresses already."""
        network = make_network(*ports, gateway=gateway, **values)
        self.wire(network)
        guests = [self.guest(port) for port in network.ports]
        for guest in guests:
            guest.configure(gateway)
        return guests
