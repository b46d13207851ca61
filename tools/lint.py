"""The lint tier: ruff, mypy, the import layers, and the measures of this house that no ready-made tool knows.

Measures are in ``MEASURES``; each yields one line for each thing that breaks it. Run it as
``python tools/lint.py [ruff|mypy|layers|measures ...]``; no name means all.
"""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_FILE, MAX_FUNCTION = 400, 60
FORBIDDEN_NAMES = {'utils', 'common', 'helpers', 'helper_functions', 'misc', 'base'}
ONLY_IN = {
    # module: where it may be imported
    'eventlet': ('compute/concurrency.py',),
    'webob': ('compute/rest/', 'compute/api/', 'tests/'),
    'routes': ('compute/rest/', 'compute/api/', 'tests/'),
}
PYTHON = ('compute', 'tests', 'tools')
# Clocks and sleeps: a test of the gate waits for events, see tests/waiting.py.
CLOCKS = ('sleep', 'monotonic', 'monotonic_ns', 'perf_counter', 'perf_counter_ns', 'process_time', 'process_time_ns')
CLOCKS_IN_TEXT = re.compile(rf'\btime\.({"|".join(CLOCKS)})\(')
CLOCKS_ALLOWED = {
    'tests/endurance/': 'the endurance set measures',
    'tests/waiting.py': 'the one place that waits',
    'tests/real/faults/points.py': 'runs inside daemons, which wait there for a file as long as the test holds them',
}
SCRIPTS = ('tools', '.ci')


def python_files() -> Iterator[pathlib.Path]:
    """Yield every Python file of the project."""
    for folder in PYTHON:
        yield from sorted((ROOT / folder).rglob('*.py'))


def script_files() -> Iterator[pathlib.Path]:
    """Yield programs and shell files without ``.py`` in their name."""
    for folder in SCRIPTS:
        for path in sorted((ROOT / folder).rglob('*')):
            if path.is_file() and path.suffix in ('', '.sh') and '__pycache__' not in path.parts:
                yield path


def long_files() -> Iterator[str]:
    """Name files that are too long to be read at once."""
    for path in [*python_files(), *script_files()]:
        lines = path.read_text(errors='replace').count('\n')
        if lines > MAX_FILE:
            yield f'{path.relative_to(ROOT)}: {lines} lines, at most {MAX_FILE} are allowed'


def long_functions() -> Iterator[str]:
    """Name functions that are too long to be understood at once."""
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION:
                    yield (f'{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {lines} lines, '
                           f'at most {MAX_FUNCTION} are allowed')


def names_that_say_nothing() -> Iterator[str]:
    """Name modules and folders called after no subject."""
    for path in python_files():
        parts = path.relative_to(ROOT).with_suffix('').parts
        for part in FORBIDDEN_NAMES.intersection(parts):
            yield f'{path.relative_to(ROOT)}: call it after what it holds, not {part!r}'


def misplaced_imports() -> Iterator[str]:
    """Name imports, also those inside functions, of modules that only one place may use."""
    for path in python_files():
        name = str(path.relative_to(ROOT))
        for line, module in _imports(path):
            allowed = ONLY_IN.get(module.partition('.')[0])
            if allowed and not name.startswith(allowed):
                yield f'{name}:{line}: {module} may be imported in {", ".join(allowed)} only'


def global_configuration() -> Iterator[str]:
    """Name uses of the global configuration outside of cmd/ and configure.py."""
    for path in sorted((ROOT / 'compute').rglob('*.py')):
        name = str(path.relative_to(ROOT))
        if name.startswith('compute/cmd/') or name == 'compute/configure.py':
            continue
        for node in ast.walk(ast.parse(path.read_text(), name)):
            if isinstance(node, ast.Attribute) and node.attr == 'CONF' and isinstance(node.value, ast.Name):
                yield f'{name}:{node.lineno}: configuration is passed in; only cmd/ and configure.py touch cfg.CONF'


def undocumented_modules() -> Iterator[str]:
    """Name modules that do not say what lives in them."""
    for path in sorted((ROOT / 'compute').rglob('*.py')):
        tree = ast.parse(path.read_text(), str(path))
        if tree.body and ast.get_docstring(tree) is None:
            yield f'{path.relative_to(ROOT)}: the module has no docstring'


def clocks_in_the_gate() -> Iterator[str]:
    """Name tests of the gate that sleep, or look at a clock, also in the text of scripts that they run."""
    for path in sorted((ROOT / 'tests').rglob('*.py')):
        name = str(path.relative_to(ROOT))
        if name.startswith(tuple(CLOCKS_ALLOWED)):
            continue
        for node in ast.walk(ast.parse(path.read_text(), name)):
            if found := _clock(node):
                yield f'{name}:{node.lineno}: {found} depends on chance; wait for events, see tests/waiting.py'


def _clock(node: ast.AST) -> str:
    if isinstance(node, ast.Assert) and any(isinstance(part, ast.Attribute) and part.attr == 'seconds'
                                            for part in ast.walk(node.test)):
        return 'an assertion on seconds'
    if isinstance(node, ast.Attribute) and node.attr == 'active_count':
        return 'a number of threads'
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == 'time':
        return f'time.{node.attr}' if node.attr in CLOCKS else ''
    if isinstance(node, ast.ImportFrom) and node.module == 'time':
        return ', '.join(f'time.{alias.name}' for alias in node.names if alias.name in CLOCKS)
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and (told := CLOCKS_IN_TEXT.search(node.value)):
        return told.group().rstrip('(')
    return ''


def _imports(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


MEASURES: tuple[Callable[[], Iterator[str]], ...] = (
    long_files, long_functions, names_that_say_nothing, misplaced_imports, global_configuration, undocumented_modules,
    clocks_in_the_gate)


def measures() -> int:
    """Print what breaks a measure; return 1 if anything does."""
    found = [problem for measure in MEASURES for problem in measure()]
    print('\n'.join(found) or 'measures kept')
    return bool(found)


def _program(*words: str) -> Callable[[], int]:
    program = pathlib.Path(sys.executable).parent / words[0]
    return lambda: subprocess.run([str(program), *words[1:]], cwd=ROOT, check=False).returncode


CHECKS: dict[str, Callable[[], int]] = {
    'ruff': _program('ruff', 'check', '--output-format', 'concise', '.'),
    'measures': measures,
    'layers': _program('lint-imports', '--no-logo'),
    'mypy': _program('mypy', '--no-error-summary'),
}


def main(names: list[str]) -> int:
    """Run the checks of the given names, or all, and return 1 if one failed."""
    unknown = sorted(set(names) - set(CHECKS))
    if unknown:
        print(f'unknown check {", ".join(unknown)}; there are {", ".join(CHECKS)}', file=sys.stderr)
        return 2
    failed = []
    for name in names or list(CHECKS):
        begin = time.monotonic()
        sys.stdout.flush()
        status = CHECKS[name]()
        print(f'lint {name}: {"FAILED" if status else "passed"} in {time.monotonic() - begin:.1f} s', flush=True)
        if status:
            failed.append(name)
    return bool(failed)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
