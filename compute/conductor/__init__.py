"""The conductor: operations that span hosts, the reaper, and the rows that hosts report."""
