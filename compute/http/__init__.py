"""HTTP/1.1 as the daemons speak it: what is read, within which limits, and how an application answers.

Nothing here knows of threads: ``http_green`` and ``http_threads`` are the two servers that use it.
"""
