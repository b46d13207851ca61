"""What may be done with networks, subnets, ports and groups, and what follows from it. No HTTP, no messages.

Everything here runs inside one transaction, handed to it as a ``Work``, in which it also notes what agents have to be
told afterwards.
"""
