"""Whether a network interface can be plugged at all."""

from __future__ import annotations

from compute import exception
from compute.objects.nic import Nic

_NOT_BOUND = ('unbound', 'binding_failed')


def check_bound(nic: Nic) -> None:
    """:raises Failed: ``port_binding_failed``: the network service could not bind the port to this host."""
    if nic.vif_type in _NOT_BOUND:
        raise exception.Failed(
            f'port {nic.port_id} of network {nic.network_name or nic.network_id} is not bound to this host '
            f'(vif_type {nic.vif_type})', code='port_binding_failed',
            hint='see whether the network agent of the host is alive and knows the network')
