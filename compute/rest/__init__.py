"""The HTTP kernel of every REST daemon of the project: an operation is a row in a table, and the kernel does the
rest."""
