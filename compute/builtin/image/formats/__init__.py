"""Disk formats, as far as their headers tell: what the data is, how large its disk is, what outside of it it refers to.

Pure functions over bytes that passed by; nothing here opens a file or runs a program. ``inspector`` is the entrance.
"""
