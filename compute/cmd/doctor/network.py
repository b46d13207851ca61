"""Kernel features and programs of the network agent: bridges, veth, VXLAN, nftables, dnsmasq."""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, unknown
from compute.cmd.doctor.machine import Machine

_APART = ('unshare', '--net', '--')
_LINKS = (('bridge', ('type', 'bridge')), ('veth', ('type', 'veth', 'peer', 'name', 'doctor1')))


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Make a link of each kind, and a table of nftables, in a network namespace of its own that ends with it."""
    if conf.network_agent.driver != 'linux':
        return
    if machine.run(*_APART, 'true').status != 0:
        yield unknown('no network namespace can be created, so nothing was tested', 'run it as root')
        return
    for name, words in _LINKS:
        made = machine.run(*_APART, 'ip', 'link', 'add', 'doctor0', *words)
        if made.status == 127:
            yield failure('the program ip is missing', 'apt-get install iproute2')
        elif made.status != 0:
            yield failure(f'the kernel does not support {name}', f'modprobe {name}')
        else:
            yield fine(f'the kernel supports {name} links')
    for family in ('inet', 'bridge'):
        made = machine.run(*_APART, 'nft', 'add', 'table', family, 'doctor')
        if made.status == 127 or 'failed to execute nft' in made.output:
            yield failure('the program nft is missing', 'apt-get install nftables')
            break
        if made.status != 0:
            yield failure(f'nftables has no tables of family {family}',
                          'modprobe nf_tables; the kernel needs NF_TABLES')
        else:
            yield fine(f'nftables has tables of family {family}')
    if machine.run(conf.network_agent.dnsmasq, '--version').status != 0:
        yield failure(f'{conf.network_agent.dnsmasq} ([network_agent] dnsmasq) does not run',
                      'apt-get install dnsmasq-base')
