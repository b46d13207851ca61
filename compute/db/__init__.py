"""The controller's store: tables, and queries by noun that return objects."""
