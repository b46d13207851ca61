"""Prints steps the way tools/stack/steps.sh does, for those that are written in Python."""

from __future__ import annotations

import pathlib
import sys
import time
import traceback
from collections.abc import Callable


class Failed(Exception):
    """A step that cannot go on; its text says why."""


def step(folder: pathlib.Path, name: str, function: Callable[[], str], remedy: str) -> None:
    """Run a step, print how long it took and what it says it did; explain a failure and end the program."""
    begin = time.monotonic()
    print(f'  {name:14} ', end='', flush=True)
    try:
        said = function()
    except KeyboardInterrupt:
        print(f'interrupted after {time.monotonic() - begin:.1f} s\n\nRun the same command again; it continues.',
              flush=True)
        sys.exit(130)
    except Exception as error:
        log = folder / 'logs' / f'stack-{name}.log'
        log.write_text(traceback.format_exc())
        print(f'FAILED after {time.monotonic() - begin:.1f} s\n', flush=True)
        reason = str(error) or type(error).__name__
        print(f"The step '{name}' failed: {reason}\nLog:    {log}\nRemedy: {remedy}\n"
              'Then run the same command again; it continues.', file=sys.stderr)
        sys.exit(1)
    print(f'{time.monotonic() - begin:6.1f} s  {said}', flush=True)


def until(seconds: float, what: str, condition: Callable[[], object], pause: float = 0.2) -> object:
    """Return what ``condition`` returns as soon as that is true. :raises Failed: it was not within ``seconds``."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise Failed(f'{what}: not within {seconds:.0f} s')
        time.sleep(pause)
    return found
