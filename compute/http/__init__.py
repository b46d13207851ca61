"""The HTTP/1.1 server of the daemons: parser, limits, and responses of applications.

Nothing here knows of threads: ``http_green`` and ``http_threads`` are the two servers that use it.
"""
