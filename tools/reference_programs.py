"""Man pages and shell completions of the programs, from their parsers and ``compute/cmd/programs.py``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial

from compute.cmd.programs import PROGRAMS, Program, program

TOOLS = ('compute-manage', 'compute-status')
"""The programs with a parser of their own; the others take the options of oslo.config."""


def products() -> dict[str, Callable[[], str]]:
    """Return what makes each file, by its path. Lines are broken for 100 columns, whatever the terminal has."""
    os.environ['COLUMNS'] = '100'
    pages = {f'doc/man/{each.name}.8': partial(man_page, each) for each in PROGRAMS}
    return {**pages, **{f'etc/completion/{name}': partial(completion, name) for name in TOOLS}}


def parser_of(about: Program) -> argparse.ArgumentParser:
    """Return the parser of a program."""
    if about.name == 'compute-manage':
        from compute.cmd import manage
        return manage.parser_of()
    if about.name == 'compute-status':
        from compute.cmd import status
        return status.parser_of()
    from oslo_config import cfg
    from oslo_log import log
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    conf([], project='compute', prog=about.name, description=about.does, default_config_files=[],
         default_config_dirs=[])
    parser: argparse.ArgumentParser = conf._oparser  # oslo.config has no public way to its parser
    return parser


def man_page(about: Program) -> str:
    """Return the man page of a program."""
    from argparse_manpage.manpage import Manpage
    parser = parser_of(about)
    parser.epilog = None
    first, _, rest = about.does.partition(':')
    page = Manpage(parser, {'description': first.rstrip('.'), 'manual_section': '8', 'manual_title': 'compute'})
    page.date = ''
    lines = [line for line in str(page).splitlines() if line.strip()]
    for command, purpose in about.examples:
        lines += ['.TP', f'.B {_plain(command)}', f'{_plain(purpose)}.'] if '.SH EXAMPLES' in lines else [
            '.SH EXAMPLES', '.TP', f'.B {_plain(command)}', f'{_plain(purpose)}.']
    lines += ['.SH FILES', '.TP', '.I /etc/compute/compute.conf', 'options of all daemons; compute.conf.sample lists '
              'them.', '.SH SEE ALSO', ', '.join(f'{_plain(each.name)}(8)' for each in PROGRAMS if each is not about)]
    return '\n'.join(lines) + '\n'


def completion(name: str) -> str:
    """Return the completion of a program for bash."""
    import shtab
    made: str = shtab.complete(parser_of(program(name)), 'bash')
    return '\n'.join(line.rstrip() for line in made.splitlines()) + '\n'


def _plain(text: str) -> str:
    return text.replace('\\', '\\\\').replace('-', r'\-')
