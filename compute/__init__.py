"""An IaaS compute controller: API, scheduler, conductor and a worker on every hypervisor host."""
