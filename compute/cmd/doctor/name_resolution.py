"""Names: a host that cannot resolve its own name, or only after a time-out, makes daemons slow."""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, warning
from compute.cmd.doctor.machine import Machine

SLOW = 1.0


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Resolve localhost and this host's name."""
    addresses, _ = machine.addresses('localhost')
    if not any(address.startswith('127.') or address == '::1' for address in addresses):
        yield failure(f'localhost is {", ".join(addresses) or "not known"}',
                      'put "127.0.0.1 localhost" into /etc/hosts')
    addresses, seconds = machine.addresses(conf.host)
    remedy = f'put the address and the name {conf.host} into /etc/hosts, or correct /etc/resolv.conf'
    if seconds > SLOW:
        yield warning(f'resolving {conf.host} took {seconds:.1f} s', remedy)
    elif not addresses:
        yield warning(f'{conf.host} ([DEFAULT] host) has no address', remedy)
    else:
        yield fine(f'{conf.host} is {", ".join(addresses)}')
