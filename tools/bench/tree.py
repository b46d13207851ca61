"""A tree of the project, of now or of another revision, and the child process that runs slices of scenarios in it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Missing(Exception):
    """The tree does not have a scenario; the text says what it lacks."""


class Runner:
    """One child. It is this tree's ``runner.py`` in both, so that both are asked the same."""

    def __init__(self, tree: pathlib.Path, errors: Any) -> None:
        self._child = subprocess.Popen(
            [sys.executable, '-W', 'ignore', str(HERE / 'runner.py')], cwd=tree, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors, env=environment(tree))

    def run(self, scenario: str, size: int, seconds: float) -> dict[str, Any]:
        """Run a slice. :raises Missing:"""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(json.dumps({'scenario': scenario, 'size': size, 'seconds': seconds}) + '\n')
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {'error': 'the runner ended'}
        if 'error' in answer:
            raise Missing(answer['error'])
        return answer

    def close(self) -> None:
        """End the child."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def environment(tree: pathlib.Path) -> dict[str, str]:
    """Return the environment in which Python takes the project from ``tree``."""
    return {**os.environ, 'PYTHONPATH': str(tree), 'COMPUTE_CONCURRENCY': 'threading', 'PYTHONHASHSEED': '1'}


@contextmanager
def running(tree: pathlib.Path) -> Iterator[Runner]:
    """Yield a runner in a tree; when it fails, what it wrote is shown."""
    with tempfile.TemporaryFile('w+') as errors:
        runner = Runner(tree, errors)
        try:
            yield runner
        except Missing:
            errors.seek(0)
            sys.stderr.write(errors.read()[-2000:])
            raise
        finally:
            runner.close()


@contextmanager
def checked_out(revision: str) -> Iterator[pathlib.Path]:
    """Yield a folder with a revision: a git worktree that is removed afterwards, or the folder that was named."""
    if pathlib.Path(revision).is_dir():
        yield pathlib.Path(revision).resolve()
        return
    with tempfile.TemporaryDirectory(prefix='bench-tree-') as folder:
        tree = pathlib.Path(folder) / 'tree'
        _git('worktree', 'add', '--quiet', '--detach', str(tree), revision)
        try:
            yield tree
        finally:
            _git('worktree', 'remove', '--force', str(tree))


def _git(*words: str) -> None:
    subprocess.run(['git', '-C', str(ROOT), *words], check=True)
