#!/usr/bin/env python3
"""The child of ``compare`` and ``grow``: holds the scenarios of one tree and runs a slice of one when it is told to.

It is started with the tree in PYTHONPATH and reads a line of JSON for each slice: ``{"scenario", "size", "seconds"}``.
It answers with what one call took, in seconds of processor time and of the clock, or with the error that tells why this
tree does not have the scenario. Processor time is what is compared: others on the machine change it little.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

Step = Callable[[], None]
WARM_UP = 3


def scenarios() -> dict[str, Callable[[str, int], Step]]:
    """Return by name what makes a scenario of a size in a folder. Imported late: an older tree may lack something."""
    import placing
    import serving
    return {**serving.SCENARIOS, **placing.SCENARIOS}


class Slices:
    """Makes each scenario once and keeps it: making one may take much longer than running it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._steps: dict[tuple[str, int], Step] = {}

    def run(self, scenario: str, size: int, seconds: float) -> dict[str, Any]:
        """Call the scenario for so many seconds and return what one call took."""
        step = self._step(scenario, size)
        gc.collect()
        count, begun, spent = 0, time.perf_counter(), time.process_time()
        while count == 0 or time.perf_counter() - begun < seconds:
            step()
            count += 1
        return {'calls': count, 'cpu': (time.process_time() - spent) / count,
                'clock': (time.perf_counter() - begun) / count}

    def _step(self, scenario: str, size: int) -> Step:
        key = scenario, size
        if key not in self._steps:
            folder = os.path.join(self._folder, f'{scenario}-{size}')
            os.makedirs(folder)
            self._steps[key] = step = scenarios()[scenario](folder, size)
            for _ in range(WARM_UP):
                step()
            gc.collect()
            gc.freeze()  # as the daemons do once they have started
            gc.set_threshold(20000, 20, 50)
        return self._steps[key]


def main() -> None:
    """Answer lines until there are no more."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what a library prints is no answer
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        slices = Slices(folder)
        for line in sys.stdin:
            try:
                answer = slices.run(**json.loads(line))
            except Exception as error:
                answer = {'error': f'{type(error).__name__}: {error}'}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == '__main__':
    main()
