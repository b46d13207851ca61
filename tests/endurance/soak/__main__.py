"""``python -m tests.endurance.soak --minutes 30``: the long soak. Status 0 if nothing is wrong, else 1."""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests import threads
from tests.endurance.soak import engine
from tests.endurance.soak.judge import wrong
from tests.endurance.soak.report import text
from tests.real.cluster_services import missing


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog='python -m tests.endurance.soak', description=(
        'Load a cluster of this machine, let a random fault happen every 20 seconds, and see that nothing is lost, '
        'stuck or leaks.'))
    parser.add_argument('--minutes', type=float, default=30, help='how long the load lasts (%(default)s)')
    parser.add_argument('--seed', type=int, help='repeats the faults and choices of another run (default: a new one)')
    parser.add_argument('--concurrency', choices=('eventlet', 'threading'),
                        default=threads.NATIVE, help='of all daemons (%(default)s)')
    parser.add_argument('--debug', action='store_true', help='let daemons log all they do')
    parser.add_argument('--keep', action='store_true', help='keep logs and configuration; always so if it goes wrong')
    arguments = parser.parse_args()
    if lacking := missing():
        parser.error(f'not installed: {", ".join(lacking)}')
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    for noisy in ('urllib3', 'oslo'):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix='soak-'))
    logging.info('seed %d, %s threads, logs in %s', seed, arguments.concurrency, folder)
    with engine.bed(folder, arguments.concurrency, arguments.debug) as bed:
        soak = engine.soak(bed, arguments.minutes * 60, seed)
        found = wrong(bed, soak)
    sys.stdout.write(text(soak, found))
    if not found and not arguments.keep:
        shutil.rmtree(folder)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
