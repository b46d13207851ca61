"""How Sphinx builds these pages: ``sphinx-build -W -b html doc doc/_build/html``."""

from __future__ import annotations

project = 'compute'
author = 'the compute project'
copyright = 'the compute project, Apache-2.0'  # noqa: A001 - Sphinx's name
source_suffix = {'.rst': 'restructuredtext'}
master_doc = 'index'
exclude_patterns = ['_build']
nitpicky = True
smartquotes = False
highlight_language = 'none'

try:
    import openstackdocstheme  # noqa: F401 - only to see whether it is there
except ImportError:
    html_theme = 'alabaster'
    html_theme_options = {'description': 'An IaaS compute controller', 'page_width': '70em', 'sidebar_width': '16em'}
else:
    extensions = ['openstackdocstheme']
    html_theme = 'openstackdocs'
    openstackdocs_auto_name = False
