"""WSGI filters of the pipelines in api-paste.ini."""
