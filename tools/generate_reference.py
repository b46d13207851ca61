#!/usr/bin/env python3
"""Writes what can be said from the tables alone: samples of options and policies, and the reference pages of doc/.

``python tools/generate_reference.py`` writes the files of ``PRODUCTS``; with ``--check`` it writes nothing and returns
1 if any of them is not what the code says. The texts hold nothing of the machine they were made on. The package
has to be installed (``pip install -e .``), because oslo's generator finds options by entry points.
"""

from __future__ import annotations

import argparse
import io
import pathlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from compute import concurrency  # noqa: E402

concurrency.patch(concurrency.THREADING)

from tools import reference_features, reference_programs  # noqa: E402

NAMESPACES = ('compute', 'oslo.messaging', 'oslo.log', 'oslo.policy', 'oslo.middleware.cors',
              'oslo.middleware.http_proxy_to_wsgi', 'oslo.middleware.sizelimit', 'keystonemiddleware.auth_token')
GENERATED = '.. Made by tools/generate_reference.py from the code. Change the code and run it again.'
APIS = (
    ('compute', 'Compute API', '/v2.1', 'compute.api.routes', 'RESOURCES'),
    ('identity', 'Built-in Identity API', '/v3', 'compute.builtin.identity.routes', 'RESOURCES'),
    ('image', 'Built-in Image API', '/v2', 'compute.builtin.image.daemon', 'RESOURCES'),
    ('network', 'Built-in Network API', '/v2.0', 'compute.builtin.network.api.routes', 'RESOURCES'),
)


# -- options --

def configuration_sample() -> str:
    """Return every option that a daemon reads, commented out, with its help: ours and the libraries'."""
    from oslo_config import cfg, generator
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    words = [word for name in NAMESPACES for word in ('--namespace', name)]
    conf([*words, '--wrap-width', '100'], project='compute-reference', default_config_files=[])
    made = io.StringIO()
    generator.generate(conf, output_file=made)
    return made.getvalue()


def configuration_page() -> str:
    """Return the reference of the project's own options."""
    from compute import conf as options
    parts = [GENERATED, _title('Configuration', '='), '''
Every option of the project itself, by group. A daemon reads the groups it needs and ignores the others, so one file may
serve all of them; but a host (worker, network agent) needs no ``[database]`` and should not be given one. The options
of the libraries (messages, logs, CORS, ``[keystone_authtoken]``) are in ``etc/compute/compute.conf.sample`` with these.
'''.strip()]
    for group, opts in sorted(options.list_opts(), key=lambda pair: (pair[0].name != 'DEFAULT', pair[0].name)):
        parts.append(_title(f'[{group.name}] {group.title or ""}'.strip(), '-'))
        if group.help:
            parts.append(prose(group.help))
        parts += [_option(opt) for opt in opts]
    return '\n\n'.join(parts) + '\n'


def _option(opt: Any) -> str:
    facts = [str(opt.type).partition('(')[0].lower() or 'value']
    for name, word in (('min', 'at least'), ('max', 'at most')):
        if (limit := getattr(opt.type, name, None)) is not None:
            facts.append(f'{word} {limit}')
    facts += _defaults(opt)
    if opt.secret:
        facts.append('not shown in logs')
    lines = [f'``{opt.name}``', f'    {", ".join(facts)}', '', _indented(prose(opt.help or ''))]
    for value, meaning in _choices(opt):
        lines += ['', f'    * ``{value}``: {prose(meaning)}' if meaning else f'    * ``{value}``']
    return '\n'.join(lines)


def _defaults(opt: Any) -> list[str]:
    """Return the default of an option, and the example that it has for sample files.

    A sample in ``<...>`` describes a default that differs between machines: it is shown instead.
    """
    if opt.sample_default is None:
        return [f'default {_value(opt.default)}']
    if str(opt.sample_default).startswith('<'):
        return [f'default {_value(opt.sample_default)}']
    return [f'default {_value(opt.default)}', f'example {_value(opt.sample_default)}']


def _value(value: Any) -> str:
    if value is None:
        return 'none'
    if isinstance(value, list):
        value = ','.join(map(str, value))
    return f'``{value}``' if str(value) else 'empty'


def _choices(opt: Any) -> list[tuple[Any, str]]:
    found = getattr(opt.type, 'choices', None) or {}
    return [(value, text or '') for value, text in (found.items() if isinstance(found, dict) else
                                                   ((value, '') for value in found))]


# -- policies --

def _policy_sets() -> tuple[tuple[str, Iterable[Any]], ...]:
    from compute import policies
    from compute.policies import identity, image, network
    return (('Compute API', policies.list_rules()), ('Built-in identity', identity.RULES),
            ('Built-in image', image.RULES), ('Built-in network', network.RULES))


def policy_sample() -> str:
    """Return every policy rule with its default, commented out."""
    lines = ['# Who may do what, by default. A line that is uncommented and changed in policy.yaml (see [oslo_policy]',
             '# policy_file) overrides the default. A daemon reads the rules of its own API and ignores the others.',
             '#', '# Made by tools/generate_reference.py from compute/policies/.', '']
    for title, rules in _policy_sets():
        lines += [f'# {"-" * 20} {title} {"-" * 20}', '']
        for rule in rules:
            lines += [f'# {line}' for line in (rule.description or '').strip().splitlines()]
            lines += [f'# {where["method"]} {where["path"]}' for where in getattr(rule, 'operations', ())]
            lines += [f'#"{rule.name}": "{rule.check_str}"', '']
    return '\n'.join(lines)


# -- routes --

def api_page(name: str, title: str, prefix: str, module: str, attribute: str) -> str:
    """Return every operation of one API as tables."""
    import importlib
    resources = getattr(importlib.import_module(module), attribute)
    count = sum(len(resource.ops) for resource in resources)
    parts = [GENERATED, _title(title, '='),
             f'{count} operations, below ``{prefix}``. An action is ``POST`` with a body of one key, its name. '
             f'The default of each policy is in ``etc/compute/policy.yaml.sample``.']
    versioned = name == 'compute'
    for resource in resources:
        parts.append(_title(resource.name, '-'))
        parts.append('\n'.join(_table(resource, versioned)))
    if versioned:
        parts += [_title('Microversions', '-'), '\n'.join(_history())]
    return '\n\n'.join(parts) + '\n'


def _table(resource: Any, versioned: bool) -> Iterator[str]:
    yield '.. list-table::'
    yield '   :header-rows: 1'
    yield ''
    heads = ['method', 'path', *(['microversions'] if versioned else []), 'status', 'policy']
    yield from _row(heads)
    for op in resource.ops:
        action = op.method == 'ACTION'
        path = f'``{resource.actions}`` ``{op.path}``' if action else f'``{op.path}``'
        yield from _row(['action' if action else op.method, path, *([_window(op)] if versioned else []), _status(op),
                         f'``{op.policy}``' if op.policy else _without_policy(op)])


def _without_policy(op: Any) -> str:
    if op.is_refused:
        return 'gone' if op.gone else 'planned'
    return 'none: no token needed'


def _row(cells: list[str]) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield f'   {"* -" if number == 0 else "  -"} {cell}'


def _window(op: Any) -> str:
    words = [f'from {op.since}' if op.since else '', f'before {op.until}' if op.until else '']
    return ' '.join(word for word in words if word) or 'all'


def _status(op: Any) -> str:
    if op.is_refused:
        return '410' if op.gone else '501'
    if isinstance(op.status, int):
        return str(op.status)
    return ', '.join(f'{status} from {since}' for since, status in op.status)


def _history() -> Iterator[str]:
    from compute.api.history import HISTORY
    for version, sentence in HISTORY:
        yield f'{version}\n    {prose(sentence)}\n'


# -- error codes --

def error_codes_page() -> str:
    """Return the catalogue of error codes."""
    from compute.objects import error_codes
    parts = [GENERATED, _title('Error codes', '='), '''
A refusal or a failure has a status for the client's library, a message for people, and a code for programs, which stays
when the message is reworded. The APIs show the code as ``reason`` in the body of an error, with ``retryable`` (the same
request may succeed later) and sometimes a ``hint``; ``GET /servers/{id}/operations`` shows it as ``error.code``; the
``fault`` of a server has it in brackets at the end of its message. A code that is not here is the type of an error that
a real Neutron or Glance returned, in lower case.

The message of a refusal (4xx) says what is wrong with the request. For a failure users see the meaning of the code, or
a sentence written for users. The messages of hosts, services and libraries are in the ``details`` of faults and
operations, which only administrators see.
'''.strip()]
    for title, codes in error_codes.PARTS.items():
        rows = [line for code, entry in codes.items() for line in _row([f'``{code}``', *map(prose, entry)])]
        head = ['.. list-table::', '   :header-rows: 1', '   :widths: 25 40 35', '']
        parts += [_title(title, '-'), '\n'.join([*head, *_row(['code', 'meaning', 'what to do']), *rows])]
    return '\n\n'.join(parts) + '\n'


# -- text --

def prose(text: str) -> str:
    """Return help text as reStructuredText: what is meant literally is marked, nothing else is taken for markup."""
    lines = ' '.join(part.strip() for part in text.strip().split('\n')) if '\n\n' not in text else text.strip()
    pieces = re.split(r'(``[^`]+``)', lines)
    return ''.join(piece if piece.startswith('``') else re.sub(r'([\\*|`])|_(?=\W|$)', _escaped, piece)
                   for piece in pieces)


def _escaped(found: re.Match[str]) -> str:
    return '\\' + found.group(0)


def _indented(text: str) -> str:
    return '\n'.join(f'    {line}'.rstrip() for line in text.split('\n'))


def _title(text: str, line: str) -> str:
    return f'{text}\n{line * len(text)}'


def _api(number: int) -> Callable[[], str]:
    return lambda: api_page(*APIS[number])


# -- metrics --

def metrics_page() -> str:
    """Return the reference of the metrics."""
    from compute import metric_families as table
    parts = [GENERATED, _title('Metrics', '='), '''
What ``/metrics`` of the health listener shows (:doc:`health`), beside ``process_*`` of Prometheus\' library. A daemon
shows the families for which it has values.

A daemon of several processes (``workers``) answers for all of them, whichever is asked: counters and histograms are
sums, those of processes that have ended included; so are gauges that say *added up* and ``process_*``. Of any other
gauge, which all processes see alike, the largest is shown. What another process counted in the last two seconds may be
missing; nothing that was shown once is. Of a process that was killed its last two seconds are lost.
'''.strip()]
    for title, families in (('Own', table.OWN), ('Nova', table.NOVA), ('Placement', table.PLACEMENT),
                            ('Neutron', table.NETWORK), ('Glance', table.IMAGE), ('Keystone', table.IDENTITY),
                            ('Of the collection itself', table.COLLECT)):
        parts.append(_title(title, '-'))
        parts += [_metric(family) for family in families]
    return '\n\n'.join(parts) + '\n'


def _metric(family: Any) -> str:
    labels = ', '.join(f'``{label}``' for label in family.labels)
    kind = f'{family.kind}, added up' if family.kind == 'gauge' and family.adds_up else family.kind
    return f'``{family.name}`` ({kind}{f"; {labels}" if labels else ""})\n{_indented(prose(family.text) + ".")}'


PRODUCTS: dict[str, Callable[[], str]] = {
    **reference_programs.products(),
    'README.md': reference_features.readme,
    'doc/features.rst': reference_features.page,
    'etc/compute/compute.conf.sample': configuration_sample,
    'etc/compute/policy.yaml.sample': policy_sample,
    'doc/configuration.rst': configuration_page,
    'doc/error_codes.rst': error_codes_page,
    'doc/metrics.rst': metrics_page,
    **{f'doc/api/{api[0]}.rst': _api(number) for number, api in enumerate(APIS)},
}


def main() -> int:
    """Write the files that differ, or with ``--check`` name them and return 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing; return 1 if a file is out of date')
    check = parser.parse_args().check
    from compute.configure import configure
    configure(['--config-file', '/dev/null'], 'generate_reference')  # sets the defaults that daemons run with
    stale = []
    for name, make in PRODUCTS.items():
        path, text = ROOT / name, make()
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for name in stale:
        print(f'{name}: {"not what the code says; run tools/generate_reference.py" if check else "written"}')
    return 1 if check and stale else 0


if __name__ == '__main__':
    sys.exit(main())
