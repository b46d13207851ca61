"""The package as it is installed: what is imported is required, what is declared exists."""

from __future__ import annotations

import ast
import configparser
import importlib
import importlib.metadata
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXTRA = {'libvirt-python', 'opentelemetry-sdk'}  # required by the extras for hosts and for spans


def canonical(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def required() -> set[str]:
    """Return the names in requirements.txt."""
    lines = (ROOT / 'requirements.txt').read_text().splitlines()
    return {canonical(re.split(r'[\[<>=~! ]', line)[0]) for line in lines if line and not line.startswith('#')}


def imported() -> set[str]:
    """Return the top-level modules that the package imports, wherever in a file."""
    found = set()
    for path in (ROOT / 'compute').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition('.')[0])
    return found - set(sys.stdlib_module_names) - {'compute'}


def test_every_import_is_required() -> None:
    distributions = importlib.metadata.packages_distributions()
    missing = [name for name in sorted(imported()) if not {
        canonical(distribution) for distribution in distributions.get(name, [])} & (required() | EXTRA)]
    assert missing == []


def test_every_requirement_has_a_tested_version() -> None:
    pinned = {canonical(line.partition('==')[0]) for line in (ROOT / 'constraints.txt').read_text().splitlines()
              if '==' in line}
    assert required() - pinned == set()


def test_entry_points_exist() -> None:
    parser = configparser.ConfigParser(delimiters=('=',))
    parser.read(ROOT / 'setup.cfg')
    for _, lines in parser.items('options.entry_points'):
        for line in lines.strip().splitlines():
            module, _, name = line.partition(' = ')[2].partition(':')
            path = ROOT / pathlib.Path(*module.split('.')).with_suffix('.py')
            path = path if path.exists() else path.with_suffix('') / '__init__.py'
            names = {node.name for node in ast.parse(path.read_text()).body
                     if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
            assert name in names, line


def test_drivers_and_generators_can_be_loaded() -> None:
    for group in ('oslo.config.opts', 'oslo.policy.policies'):
        point = next(point for point in importlib.metadata.entry_points(group=group) if point.name == 'compute')
        assert point.load()()


def test_pipelines_are_part_of_the_package() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / 'setup.cfg')
    for path in parser['options.data_files']['etc/compute'].split():
        assert (ROOT / path).is_file()
