"""The worker on every hypervisor host: does what the conductor asks, reports, keeps the host in order."""
