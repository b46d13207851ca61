"""The configuration of the tools: the files that they are given, or those that ``COMPUTE_CONFIG`` names."""

from __future__ import annotations

import argparse
import os
from typing import Any

from compute import exception

VARIABLE = 'COMPUTE_CONFIG'


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--config-file``."""
    parser.add_argument('--config-file', action='append', default=[], metavar='FILE',
                        help=f'configuration file; may be given several times (default: ${VARIABLE}, where several are '
                             'separated by colons, else those of the daemons)')


def read(files: list[str]) -> Any:
    """Read the configuration and set up the log."""
    from compute.configure import configure
    named = files or [path for path in os.environ.get(VARIABLE, '').split(':') if path]
    return configure([word for path in named for word in ('--config-file', path)], 'compute')


def demand(conf: Any, group: str, option: str) -> None:
    """Check that an option is set: a tool must not use the default address, which may be of another cloud.

    :raises Invalid: ``option_missing``: names the option and the files that were read.
    """
    from oslo_config import cfg
    if conf.get_location(option, group).location is cfg.Locations.opt_default:
        files = ', '.join(conf.config_file or conf.default_config_files or ()) or 'no configuration file'
        raise exception.Invalid(f'[{group}] {option} is not set ({files} was read): give --config-file FILE, or name '
                                f'the file in {VARIABLE}', code='option_missing')
