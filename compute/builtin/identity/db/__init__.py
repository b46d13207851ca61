"""The identity daemon's own store: its tables and its queries by noun."""
