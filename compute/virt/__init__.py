"""Hypervisor drivers: the contract (``driver``), a complete fake, and libvirt."""
