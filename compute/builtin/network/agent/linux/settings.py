"""What the Linux plumbing has to know of the configuration: a value, since it travels to the helper process."""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
from dataclasses import dataclass
from typing import Any

from compute import exception


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of ``[network_agent]``, checked. ``tap_owner`` and ``tap_group`` are numbers, None for root only."""

    state_dir: str
    link_range: str = '100.64.0.0/16'
    nat: bool = True
    external_interface: str = ''
    host_routes: bool = True
    dnsmasq: str = 'dnsmasq'
    dnsmasq_user: str = 'nobody'
    dns_servers: tuple[str, ...] = ()
    tap_owner: int | None = None
    tap_group: int | None = None


def from_conf(conf: Any) -> Settings:
    """Read the options.

    :raises exception.Invalid: naming the option that makes no sense.
    """
    options = conf.network_agent
    try:
        links = ipaddress.IPv4Network(options.link_range)
    except ValueError as error:
        raise exception.Invalid(f'[network_agent] link_range {options.link_range!r}: {error}') from error
    if links.prefixlen > 30:
        raise exception.Invalid(f'[network_agent] link_range {links} has no room; it needs a /30 or wider')
    return Settings(
        state_dir=os.path.abspath(options.state_dir), link_range=str(links), nat=options.nat,
        external_interface=options.external_interface, host_routes=options.host_routes, dnsmasq=options.dnsmasq,
        dnsmasq_user=options.dnsmasq_user, dns_servers=tuple(options.dns_servers),
        tap_owner=_number(options.tap_owner, 'tap_owner', lambda name: pwd.getpwnam(name).pw_uid),
        tap_group=_number(options.tap_group, 'tap_group', lambda name: grp.getgrnam(name).gr_gid))


def _number(text: str, option: str, look_up: Any) -> int | None:
    if not text:
        return None
    if text.isdecimal():
        return int(text)
    try:
        return int(look_up(text))
    except KeyError as error:
        raise exception.Invalid(f'[network_agent] {option} {text!r} is not known on this host') from error
