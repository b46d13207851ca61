"""The routes of the Identity API: a noun a file, each with its operations, its fields and its handlers."""
