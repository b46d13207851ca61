"""Metadata for guests: who asks is known by the address that the question came from, and passed on signed."""
