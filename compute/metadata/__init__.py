"""The metadata daemon: tells guests who they are. It trusts the network agents, and no guest."""
