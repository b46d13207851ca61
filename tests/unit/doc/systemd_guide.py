"""The commands of doc/systemd.rst, as they stand there: for a test of their names, and for one that runs them."""

from __future__ import annotations

import pathlib
import re
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[3]
_BLOCK = re.compile(r'^\.\. code-block:: sh\n\n((?:(?: {3}.*)?\n)+)', re.MULTILINE)
_FILE = re.compile(r'^ *cat >>?(\S+) <<END\n(.*?)^END$', re.MULTILINE | re.DOTALL)


def commands() -> str:
    """Return all commands of the guide, in their order."""
    return '\n'.join(textwrap.dedent(block) for block in _BLOCK.findall((ROOT / 'doc/systemd.rst').read_text()))


def files() -> dict[str, str]:
    """Return what the commands write below /etc/compute; a loop over daemons gives a file for each.

    Variables of the shell have the value ``secret``.
    """
    text = commands()
    loop = re.search(r'^for daemon in ([a-z -]+); do$', text, re.MULTILINE)
    assert loop is not None
    found: dict[str, str] = {}
    for path, content in _FILE.findall(text):
        if path.startswith('/etc/compute/'):
            for daemon in loop[1].split() if '$daemon' in path else ('',):
                name = path.replace('$daemon', daemon)
                found[name] = found.get(name, '') + re.sub(r'\$[A-Z_]+', 'secret', content)
    return found
