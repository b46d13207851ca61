"""The neighbours in memory: complete enough to run the whole core without any of them."""
