"""The table of features in README.md and doc/features.rst, from ``compute/api/features.py``."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

from compute.api.features import FEATURES, NEIGHBOURS, NEVER, PLANNED, SUPPORTED, Feature

README = pathlib.Path(__file__).resolve().parent.parent / 'README.md'
_STATES = (SUPPORTED, PLANNED, NEVER)
_MARKED = re.compile(r'(<!-- features: made by tools/generate_reference.py -->\n).*?(<!-- end of features -->\n)',
                     re.DOTALL)


def readme() -> str:
    """Return README.md with its table as the code says."""
    return _MARKED.sub(lambda found: found[1] + '\n'.join(_short()) + '\n' + found[2], README.read_text())


def _short() -> Iterator[str]:
    yield '| feature | state |'
    yield '|---|---|'
    for state in _STATES:
        for feature in (*FEATURES, *NEIGHBOURS):
            if feature.state == state:
                yield f'| {_noted(feature)} | {f"**{state}**" if state == SUPPORTED else state} |'


def _noted(feature: Feature) -> str:
    return f'{feature.name} ({feature.note})' if feature.note else feature.name


def page() -> str:
    """Return the page with the operations of each feature."""
    parts = ['.. Made by tools/generate_reference.py from the code. Change the code and run it again.',
             'Features\n========', '''
The features of the Compute API that this release supports (*supported*), that a later release will support
(*planned*), and that no release will support (*never*). A planned action answers 501, an unknown action 400, and an
operation that Nova removed 410. Supported features have the request and response formats and the microversions of Nova.
A test compares this table with the routes.
'''.strip()]
    for state in _STATES:
        parts.append(f'{state.capitalize()}\n{"-" * len(state)}')
        rows = [line for feature in (*FEATURES, *NEIGHBOURS) if feature.state == state for line in _row(feature)]
        parts.append('\n'.join(['.. list-table::', '   :header-rows: 1', '   :widths: 35 65', '',
                               '   * - feature', '     - operations', *rows]))
    return '\n\n'.join(parts) + '\n'


def _row(feature: Feature) -> Iterator[str]:
    yield f'   * - {_noted(feature)}'
    yield f'     - {", ".join(f"``{each}``" for each in feature.operations) or "see the API of that service"}'
