"""Measures the controller: ``python tools/bench COMMAND``.

    compare REVISION  this tree and another in turns: the ratio of what each call costs; status 1 if it is worse
    grow              what calls cost with 1 to 10,000 servers and 10 to 10,000 hosts
    write             what boots and deletes cost on such a stack, daemon by daemon
    stack             boots, reads, lists on a stack that runs (tools/stack.sh --cluster --fake), over HTTP
    memory            PSS of the daemons of a stack, or of processes

How to read the figures: doc/architecture/speed.rst.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time

COMMANDS = {'compare': 'compare', 'grow': 'grow', 'stack': 'stack', 'write': 'write', 'memory': 'footprint'}


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog='bench', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    for name, module in COMMANDS.items():
        importlib.import_module(module).arguments(commands.add_parser(name))
    options = parser.parse_args()
    print(f'{os.cpu_count()} processors (load {os.getloadavg()[0]:.1f}), Python {platform.python_version()}, '
          f'{time.strftime("%Y-%m-%d %H:%M")}\n', flush=True)
    return int(importlib.import_module(COMMANDS[options.command]).run(options))


if __name__ == '__main__':
    sys.exit(main())
