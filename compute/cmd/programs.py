"""Descriptions of the programs: one sentence and two examples each, for ``--help``, man pages and completions."""

from __future__ import annotations

from dataclasses import dataclass

CONFIGURATION = '/etc/compute/compute.conf'


@dataclass(frozen=True)
class Program:
    """``does`` is a sentence; each example is a command line with its purpose."""

    name: str
    does: str
    examples: tuple[tuple[str, str], ...]

    @property
    def epilog(self) -> str:
        """Return the examples as they stand under ``--help``."""
        return 'Examples: ' + ' '.join(f'"{command}" {purpose}.' for command, purpose in self.examples)


def _daemon(name: str, does: str, *more: tuple[str, str]) -> Program:
    run = (f'{name} --config-file {CONFIGURATION}', 'runs it until SIGTERM')
    return Program(name, does, (run, *(more or ((f'{run[0]} --debug', 'logs every step'),))))


PROGRAMS = (
    _daemon('compute-api', 'Serves the Compute API (Nova v2.1): checks what a caller asks for, writes it to the '
                           'database and tells a conductor.'),
    _daemon('compute-scheduler', 'Chooses a host for each server and claims its capacity in the database.'),
    _daemon('compute-conductor', 'Leads operations that several hosts take part in, takes over abandoned ones, and '
                                 'writes what hosts report.'),
    _daemon('compute-worker', 'Runs on each hypervisor host: builds, starts, stops and deletes guests. It has no '
                              'access to the database.'),
    _daemon('compute-metadata', 'Serves the metadata of guests (169.254.169.254).'),
    _daemon('compute-identity', 'Serves the built-in Identity API (Keystone v3).'),
    _daemon('compute-image', 'Serves the built-in Image API (Glance v2) and stores images.'),
    _daemon('compute-network', 'Serves the built-in Network API (Neutron v2.0).'),
    _daemon('compute-network-agent', 'Runs on each hypervisor host: makes the networks, DHCP and packet filters of the '
                                     'built-in Network service there.',
            (f'compute-network-agent --config-file {CONFIGURATION} --cleanup',
             'removes everything that it created on this host')),
    _daemon('compute-standalone', 'Runs every daemon in one process, with a message bus in memory.'),
    Program('compute-manage', 'Manages a control plane beside its APIs: database schemas, the first login, signing '
                              'keys, audits, and the history of a request.', (
        ('compute-manage db sync', 'brings the databases to the newest schema'),
        ('compute-manage trace req-6f1f...', 'shows the history of a request'))),
    Program('compute-status', 'Shows what is up and what hangs, and checks whether this machine is set up well.', (
        ('compute-status', 'lists daemons, hosts and operations that hang'),
        ('compute-status check', 'finds misconfigurations and names remedies'))),
)


def program(name: str) -> Program:
    """Return a program by its name."""
    found, = (each for each in PROGRAMS if each.name == name)
    return found
