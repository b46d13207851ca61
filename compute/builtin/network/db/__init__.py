"""The store of the built-in network: tables, what of them the API shows, and queries."""
