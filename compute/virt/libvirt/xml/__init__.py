"""Domain XML, built from values: pure functions, one module for each part of the document.

``domain.domain_xml(spec)`` makes the whole. Nothing here formats text into XML; elements are objects until the end.
"""
