"""The ``openstack`` command in one process for many commands: starting Python for each takes most of the time.

``python openstack_shell.py`` reads requests from its input, a JSON object a line (``argv``, ``environ``), and answers
each with a line (``status``, ``out``, ``err``).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from typing import Any


class Shell:
    """A running client. ``environ`` are the variables of every command."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True)

    def __call__(self, line: str, **changes: str) -> Any:
        """Run a command, which must succeed; return what it says, parsed with ``-f json``."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps({'argv': line.split(), 'environ': {**self._environ, **changes}}), file=self._process.stdin,
              flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert answer['status'] == 0, f'{line}: {answer["err"]}'
        return json.loads(answer['out']) if '-f json' in line else None

    def close(self) -> None:
        """End the client."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def main() -> None:
    """Answer requests until the input ends."""
    from openstackclient.shell import OpenStackShell
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ.clear()
        os.environ.update(asked['environ'])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = OpenStackShell().run(asked['argv'])
            except SystemExit as end:
                status = int(end.code or 0)
        print(json.dumps({'status': status, 'out': out.getvalue(), 'err': err.getvalue()}), file=sys.__stdout__,
              flush=True)


if __name__ == '__main__':
    main()
