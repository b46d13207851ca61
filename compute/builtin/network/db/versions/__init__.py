"""Revisions of the network store."""
