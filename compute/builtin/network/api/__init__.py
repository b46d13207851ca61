"""The Network API v2.0: one file for each resource, with its fields, its rows of operations and its handlers."""
