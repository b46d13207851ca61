"""Runs a daemon of the product as its command does, with the seams of the fault tests in place.

``python -m tests.real.faults.launch KIND NAME FOLDER [--driver-seams] OPTIONS...``; the product itself knows nothing of
this.
"""

from __future__ import annotations

import importlib
import sys


def main() -> int:
    """Run it."""
    kind, name, folder = sys.argv[1:4]
    sys.argv[1:4] = []
    command = importlib.import_module(f'compute.cmd.{kind}')  # chooses green or native threads: first of all
    from tests.real.faults import seams
    from tests.real.faults.points import Points
    seams.install(kind, name, folder)
    if '--driver-seams' in sys.argv:
        sys.argv.remove('--driver-seams')
        from tests.real.faults import libvirt_seams
        libvirt_seams.install(Points(folder), kind)
    status: int = command.main()
    return status


if __name__ == '__main__':
    sys.exit(main())
