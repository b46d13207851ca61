"""What the agent's things are called on a host, and how it knows them again.

Interface names have 15 characters at most, so they hold only the beginning of an id; the whole id is in the
interface's alias. The agent touches only interfaces whose alias is its own.
"""

from __future__ import annotations

from compute.objects.nic import device_name

OWNER = 'compute'
INSIDE, UPLINK = 'guests', 'uplink'
METADATA_ADDRESS = '169.254.169.254'
NAMESPACE_PREFIX = 'cnet-'


def bridge(network_id: str) -> str:
    """Return the name of a network's bridge, which is in the root namespace."""
    return f'br{network_id[:11]}'


def tap(port_id: str) -> str:
    """Return the name of a port's tap."""
    return device_name(port_id)


def namespace(network_id: str) -> str:
    """Return the name of the namespace with the network's gateway, DHCP and NAT."""
    return f'{NAMESPACE_PREFIX}{network_id[:13]}'


def gateway(network_id: str) -> str:
    """Return the bridge's end of the link to the namespace; the other end is ``INSIDE``."""
    return f'cgw{network_id[:11]}'


def uplink(network_id: str) -> str:
    """Return the host's end of the link from the namespace to the world; the other end is ``UPLINK``."""
    return f'cup{network_id[:11]}'


def alias(network_id: str, port_id: str = '') -> str:
    """Return what marks an interface as made by the agent for this network, or this port of it."""
    return f'{OWNER}:{network_id}:{port_id}'


def parse_alias(text: str | None) -> tuple[str, str] | None:
    """Return (network id, port id or '') of an interface of ours, None for anybody else's."""
    parts = (text or '').split(':')
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == OWNER else None


def derived_mac(network_id: str, role: int) -> str:
    """Return a locally administered MAC that is always the same for a network and a role (0 to 255)."""
    digits = network_id.replace('-', '')[:8].ljust(8, '0')
    pairs = [digits[i:i + 2] for i in range(0, 8, 2)]
    if any(c not in '0123456789abcdefABCDEF' for c in digits):
        pairs = [f'{byte:02x}' for byte in network_id.encode()[:4].ljust(4, b'0')]
    return ':'.join(['02', f'{role:02x}', *pairs]).lower()
