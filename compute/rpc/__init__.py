"""Contracts between daemons, and how they travel. A contract file holds ``Interface`` classes and nothing else."""
