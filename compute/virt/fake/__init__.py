"""A hypervisor that runs nothing, and behaves in every other way as the contract asks."""
