"""What pages under doc/ say of the tree is true: files exist, stages are as declared, generated pages are current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from compute import conf as options
from compute.objects.kinds import KINDS, Kind
from compute.objects.kinds.kind import CONDUCTOR, DESTINATION, HOST, SOURCE

ROOT = Path(__file__).parents[3]
PAGES = sorted(path for path in (ROOT / 'doc').rglob('*.rst') if '_build' not in path.parts)
CHECKED = [*(path for path in PAGES if path.parent.name in ('add', 'architecture', 'decisions', 'operations')),
           ROOT / 'CONTRIBUTING.rst']
TOPS = ('compute', 'tests', 'tools', 'etc', 'doc', 'releasenotes')
# What the pages of operations call the places of stages; ", undone" follows where a stage has an inverse.
WHERE = {CONDUCTOR: 'conductor', HOST: 'worker', SOURCE: 'source', DESTINATION: 'destination'}
SECTIONS = {'prelude', 'features', 'issues', 'upgrade', 'deprecations', 'critical', 'security', 'fixes', 'other'}


def named_paths(text: str) -> list[str]:
    """Return what is in backticks and looks like a path of this repository, without what comes after a space."""
    words = [found.split(' ')[0] for found in re.findall(r'``([^`\n]+)``', text)]
    return [word for word in words if '/' in word and word.split('/')[0] in TOPS
            or re.fullmatch(r'[A-Za-z-]+\.(md|cfg|toml|txt|ini)', word)]


def is_there(path: str) -> bool:
    """Tell whether a path exists; of one with a placeholder, whether the folder does into which it goes."""
    known, placeholder, _ = path.partition('<')
    if placeholder:
        return (ROOT / known.rpartition('/')[0]).is_dir()
    return any(ROOT.glob(path)) if '*' in path else (ROOT / path).exists()


def test_named_paths_are_recognised() -> None:
    text = 'see ``compute/nowhere.py``, ``setup.cfg``, ``tools/lint.py layers``, ``/etc/hosts``, ``Since``, ``a/b``'
    assert named_paths(text) == ['compute/nowhere.py', 'setup.cfg', 'tools/lint.py']
    assert not is_there('compute/nowhere.py')
    assert not is_there('compute/nowhere/<name>.py')
    assert is_there('compute/conf/<group>.py')


@pytest.mark.parametrize('page', CHECKED, ids=lambda page: f'{page.parent.name}/{page.name}')
def test_files_named_in_pages_exist(page: Path) -> None:
    missing = [path for path in named_paths(page.read_text()) if not is_there(path)]
    assert not missing, f'{page.relative_to(ROOT)} names what is not there: {", ".join(missing)}'


def test_checklists_name_files() -> None:
    silent = [page.name for page in CHECKED
              if page.parent.name == 'add' and page.name != 'index.rst' and not named_paths(page.read_text())]
    assert not silent


def page_of(kind: Kind[Any, Any]) -> Path:
    """Return the page of a kind. Kinds that users know by one verb share its page."""
    return ROOT / 'doc' / 'operations' / f'{kind.verb if kind.verb in KINDS else kind.name}.rst'


def stages_in_page(kind: Kind[Any, Any]) -> str:
    """Return what the page of a kind says of its stages."""
    told = page_of(kind).read_text().split('\nStages\n')[1].split('\nFiles\n')[0]
    if sum(each.verb == kind.verb for each in KINDS.values()) == 1:
        return told
    parts = re.split(r'^Kind ``(\w+)``', told, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[kind.name]


@pytest.mark.parametrize('kind', KINDS.values(), ids=KINDS)
def test_stages_of_an_operation_are_the_declared_ones(kind: Kind[Any, Any]) -> None:
    told = stages_in_page(kind)
    rows = re.findall(r'^   \* - (.+)\n     - (.+)\n     - (.+)\n     - (.+)$', told, re.MULTILINE)[1:]
    assert [(stage, task_state, where.split(',')[0], not again.startswith('no'))
            for stage, task_state, where, again in rows] == [
        (stage.name, stage.shows, WHERE[stage.at], stage.redo) for stage in kind.stages]
    assert ['undone' in where for _, _, where, _ in rows] == [stage.undo for stage in kind.stages]
    assert f'Deadline {kind.deadline} s.' in told


@pytest.mark.parametrize('kind', KINDS.values(), ids=KINDS)
def test_the_page_of_a_kind_names_its_declaration(kind: Kind[Any, Any]) -> None:
    text = page_of(kind).read_text()
    path, = (f'compute/objects/kinds/{file.name}' for file in sorted((ROOT / 'compute/objects/kinds').glob('*.py'))
             if f"name='{kind.name}'" in file.read_text())
    assert path in named_paths(text)


def test_pages_are_short() -> None:
    long = {str(page.relative_to(ROOT)): lines for page in CHECKED if (lines := page.read_text().count('\n')) > 200}
    assert not long


def test_release_notes_have_known_sections() -> None:
    notes = sorted((ROOT / 'releasenotes' / 'notes').glob('*.yaml'))
    assert notes
    for note in notes:
        assert re.fullmatch(r'[a-z0-9-]+-[0-9a-f]{16}', note.stem), note.name
        content = yaml.safe_load(note.read_text())
        assert set(content) <= SECTIONS, note.name
        assert all(isinstance(entry, str) for entries in content.values() if isinstance(entries, list)
                   for entry in entries), note.name


def test_generated_files_are_current() -> None:
    done = subprocess.run([sys.executable, str(ROOT / 'tools' / 'generate_reference.py'), '--check'], cwd=ROOT,
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_of_options_shows_real_defaults() -> None:
    """What only the sample file shows is an example; ``<...>`` describes a default that differs between machines."""
    shown = re.split(r'^\[(\w+)\].*\n-+\n', (ROOT / 'doc/configuration.rst').read_text(), flags=re.MULTILINE)
    pages = dict(zip(shown[1::2], shown[2::2], strict=True))
    for group, opts in options.list_opts():
        for opt in opts:
            found = re.search(rf'^``{opt.name}``\n    (.*)$', pages[group.name], re.MULTILINE)
            assert found, opt.name
            value, sample = opt.default, opt.sample_default
            if str(sample).startswith('<'):
                value, sample = sample, None
            text = ','.join(map(str, value)) if isinstance(value, list) else value
            default = 'none' if value is None else f'``{text}``' if str(text) else 'empty'
            assert f'default {default}' in found[1], (opt.name, found[1])
            assert ('example' in found[1]) is (sample is not None), (opt.name, found[1])


def test_pages_build_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip('sphinx')
    done = subprocess.run([sys.executable, '-m', 'sphinx', '-W', '-q', '-b', 'html', '-d', str(tmp_path / 'trees'),
                           str(ROOT / 'doc'), str(tmp_path / 'html')], capture_output=True, text=True, check=False,
                          timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / 'html' / 'operations' / 'create.html').exists()
