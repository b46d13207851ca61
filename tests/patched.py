"""A plugin of pytest, loaded first: the tests' own process gets the threads that ``COMPUTE_CONCURRENCY`` names."""

from compute import concurrency

concurrency.patch()
