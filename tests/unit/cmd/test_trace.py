"""compute-manage trace: lines of logs and of the ledger in the order in which things happened."""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compute.cmd import trace
from tests.unit.conductor.making import Controller

CALLER, OWN, OTHER = (f'req-{number * 8}-0000-4000-8000-{number * 12}' for number in '123')


def line(at: str, ids: str, text: str, level: str = 'INFO', pid: int = 7) -> str:
    return f'2026-11-21 10:00:{at} {pid} {level} compute.somewhere {ids}{text}\n'


def fill(folder: Path) -> None:
    (folder / 'worker.log').write_text(
        line('02.000', f'[{CALLER} {OWN} p u] ', 'spawned') + line('02.500', f'[None {OTHER} p u] ', 'of another'))
    (folder / 'api.log').write_text(
        line('01.000', f'[{CALLER} {OWN} p u] ', 'POST /servers')
        + line('03.000', f'[{CALLER} {OWN} p u] ', 'it broke', 'ERROR')
        + line('03.000', '', 'Traceback', 'ERROR') + line('03.000', '', 'ValueError: why', 'ERROR')
        + line('03.000', '', 'of another thread', 'ERROR', pid=8) + line('03.100', '', 'afterwards'))
    with gzip.open(folder / 'network.log.1.gz', 'wt') as old:
        old.write(line('00.500', f'[{OWN} req-{"4" * 8}-0000-4000-8000-{"4" * 12} p u] ', 'POST /v2.0/ports'))
    (folder / 'conductor.log').write_text(json.dumps({
        'created': datetime.datetime(2026, 11, 21, 10, 0, 1, 500000).timestamp(), 'levelname': 'INFO', 'name': 'c',
        'message': 'placed', 'context': {'request_id': OWN, 'global_request_id': CALLER}}) + '\n{broken ' + OWN + '\n')


def of(folder: Path, request_id: str) -> list[str]:
    moments = sorted(trace.logged(trace.log_files([str(folder)]), request_id))
    return [moment.what.rpartition('] ')[2] if '] ' in moment.what else moment.what.split(' ', 2)[2]
            for moment in moments]


def test_lines_of_all_daemons_in_order_with_what_broke(tmp_path: Path) -> None:
    fill(tmp_path)
    told = ['POST /servers', 'placed', 'spawned', 'it broke', 'Traceback', 'ValueError: why']
    assert sorted(of(tmp_path, CALLER)) == sorted(told)
    assert of(tmp_path, CALLER)[:3] == told[:3]
    assert of(tmp_path, OWN)[0] == 'POST /v2.0/ports'
    assert of(tmp_path, OTHER) == ['of another']


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    made = Controller(f'{tmp_path}/compute.sqlite')
    made.add_host('a')
    yield made
    made.db.dispose()


def arguments(request_id: str, **more: Any) -> argparse.Namespace:
    return argparse.Namespace(**{'request_id': request_id, 'log': [], 'journal': False, 'ledger': True, 'json': True,
                                 **more})


def test_the_id_of_the_caller_leads_to_the_ledger(controller: Controller, tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    from compute.db.tables import operations
    operation = controller.create()
    controller.db.transaction(lambda connection: connection.execute(
        operations.update().where(operations.c.id == operation.id).values(request_id=OWN)))
    assert trace.run(controller.conf, arguments(CALLER, log=[str(tmp_path)])) == 0
    told = json.loads(capsys.readouterr().out)
    assert any(each['where'] == 'ledger' and f'operation {operation.id} (create of' in each['what'] for each in told)
    assert {'worker', 'api', 'conductor'} <= {each['where'] for each in told}
    assert trace.run(controller.conf, arguments(CALLER, log=[str(tmp_path)], json=False)) == 0
    assert 'POST /servers' in capsys.readouterr().out


def test_nothing_known_and_no_id(controller: Controller, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trace.run(controller.conf, arguments(OTHER, log=[str(tmp_path)], json=False)) == 1
    assert 'nothing is known' in capsys.readouterr().out
    assert trace.run(controller.conf, arguments('4711')) == 2


OUTSIDE = '4bf92f3577b34da6a3ce929d0e0e4736'


def test_the_id_of_a_trace_finds_the_lines_that_show_it(tmp_path: Path) -> None:
    (tmp_path / 'api.log').write_text(line('01.000', f'[None {OWN} p u {OUTSIDE}] ', 'from outside')
                                      + line('02.000', f'[None {OTHER} p u] ', 'of another'))
    assert of(tmp_path, OUTSIDE) == ['from outside']


@pytest.mark.parametrize('asked', [OWN, OWN.removeprefix('req-').replace('-', '')])
def test_the_id_of_a_trace_that_began_here_finds_the_request(controller: Controller, tmp_path: Path, asked: str,
                                                             capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'api.log').write_text(line('01.000', f'[None {OWN} p u] ', 'begun here'))
    arguments = argparse.Namespace(request_id=asked, log=[str(tmp_path)], journal=False, ledger=True, json=False)
    controller.conf.set_override('connection', f'sqlite:///{tmp_path}/compute.sqlite', 'database')
    assert trace.run(controller.conf, arguments) == 0
    assert 'begun here' in capsys.readouterr().out


def test_what_is_neither_id_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for asked in ('0' * 32, 'req-1', OUTSIDE.upper()):
        arguments = argparse.Namespace(request_id=asked, log=[], journal=False, ledger=False, json=False)
        assert trace.run(None, arguments) == 2
        assert 'no trace id' in capsys.readouterr().err
