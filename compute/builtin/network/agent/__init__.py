"""The agent of the built-in network: one on each hypervisor host, told over RPC what should be there.

``agent`` takes the messages and decides what has to be done, ``plumbing`` is the contract with what does it
(``linux`` and ``fake``), ``metadata`` passes guests' requests for metadata on. No SQL is within reach.
"""
