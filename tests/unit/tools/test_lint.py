"""tools/lint.py: each measure finds what it is there for."""

from __future__ import annotations

import importlib.util
import pathlib
from typing import Any

import pytest

CLOCK = 'time'  # not written out: the measure looks into texts too
TOOL = pathlib.Path(__file__).resolve().parents[3] / 'tools' / 'lint.py'


@pytest.fixture
def lint(tmp_path: pathlib.Path) -> Any:
    """Give the tool, looking at an empty project."""
    spec = importlib.util.spec_from_file_location('lint_under_test', TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT = tmp_path
    for name in ('compute', 'tests', 'tools', '.ci'):
        (tmp_path / name).mkdir()
    return module


def found(lint: Any, name: str, text: str, measure: str) -> list[str]:
    path = lint.ROOT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return list(getattr(lint, measure)())


@pytest.mark.parametrize(('lines', 'problems'), [(400, 0), (401, 1)])
@pytest.mark.parametrize('name', ['compute/x.py', 'tools/stack/x.sh', 'tools/x'])
def test_files(lint: Any, name: str, lines: int, problems: int) -> None:
    assert len(found(lint, name, 'x = 1\n' * lines, 'long_files')) == problems


@pytest.mark.parametrize(('lines', 'problems'), [(59, 0), (60, 1)])
def test_functions(lint: Any, lines: int, problems: int) -> None:
    text = 'class A:\n    def f(self):\n' + '        x = 1\n' * lines
    assert len(found(lint, 'compute/x.py', text, 'long_functions')) == problems


@pytest.mark.parametrize(('name', 'problems'), [
    ('compute/utils.py', 1), ('compute/common/x.py', 1), ('tests/helpers.py', 1), ('compute/database.py', 0),
    ('compute/base.py', 1)])
def test_names(lint: Any, name: str, problems: int) -> None:
    assert len(found(lint, name, '', 'names_that_say_nothing')) == problems


@pytest.mark.parametrize(('name', 'text', 'problems'), [
    ('compute/concurrency.py', 'import eventlet', 0), ('compute/api/x.py', 'import eventlet', 1),
    ('compute/api/x.py', 'def f():\n    from eventlet import tpool', 1), ('compute/api/x.py', 'import webob', 0),
    ('compute/control/x.py', 'import webob.exc', 1), ('compute/db/x.py', 'from routes import Mapper', 1),
    ('compute/control/x.py', 'from compute.api import routes', 0)])
def test_imports(lint: Any, name: str, text: str, problems: int) -> None:
    assert len(found(lint, name, text, 'misplaced_imports')) == problems


@pytest.mark.parametrize(('name', 'problems'), [
    ('compute/cmd/x.py', 0), ('compute/configure.py', 0), ('compute/db/x.py', 1)])
def test_global_configuration(lint: Any, name: str, problems: int) -> None:
    text = 'from oslo_config import cfg\nx = cfg.CONF.host\n'
    assert len(found(lint, name, text, 'global_configuration')) == problems


@pytest.mark.parametrize(('text', 'problems'), [('', 0), ('"""Says."""\nx = 1\n', 0), ('x = 1\n', 1)])
def test_docstrings(lint: Any, text: str, problems: int) -> None:
    assert len(found(lint, 'compute/x.py', text, 'undocumented_modules')) == problems


@pytest.mark.parametrize(('name', 'text', 'problems'), [
    ('tests/unit/test_x.py', f'import time\nx = {CLOCK}.sleep(1)', 1),
    ('tests/unit/test_x.py', f'import time\nx = {CLOCK}.monotonic() - {CLOCK}.perf_counter()', 2),
    ('tests/unit/test_x.py', 'from time import sleep', 1), ('tests/unit/test_x.py', 'import time\nx = time.time()', 0),
    ('tests/unit/test_x.py', f'SCRIPT = "import time; {CLOCK}.sleep(1)"', 1),
    ('tests/unit/test_x.py', 'assert taken.seconds < 3', 1), ('tests/unit/test_x.py', 'LOG.info(taken.seconds)', 0),
    ('tests/unit/test_x.py', 'import threading\nassert threading.active_count() < 9', 1),
    ('tests/endurance/test_x.py', 'from time import sleep', 0), ('tests/waiting.py', 'from time import sleep', 0)])
def test_clocks(lint: Any, name: str, text: str, problems: int) -> None:
    assert len(found(lint, name, text, 'clocks_in_the_gate')) == problems


def test_an_unknown_check_is_refused(lint: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint.main(['nonsense']) == 2
    assert 'ruff, measures, layers, mypy' in capsys.readouterr().err
