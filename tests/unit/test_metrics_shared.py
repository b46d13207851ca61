"""compute.metrics_shared: several processes as one, whoever of them lives."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from compute import metrics, metrics_shared

REQUESTS = 'compute_http_request_seconds'
LABELS = ('compute', 'GET', '/', '200')
CELL = [0] * 15 + [0.0]


def values(count: int, depth: float = 1, limit: float = 10) -> metrics_shared.Values:
    """Return what a process has that served so many requests."""
    return {REQUESTS: {LABELS: [count, *CELL[1:-1], count / 10]},
            'compute_reaper_actions_total': {('create', 'resent'): count},
            'compute_pool_limit': {('casts',): limit}, 'compute_broker_queue_messages': {('api',): depth}}


def total(own: Path, mine: metrics_shared.Values) -> metrics_shared.Values:
    for told in metrics_shared.others(own):
        metrics_shared.add(mine, told.values)
    return mine


def test_shares_are_added_up_and_what_all_see_is_not(tmp_path: Path) -> None:
    own, other = tmp_path / 'a.json', tmp_path / 'b.json'
    metrics_shared.write(own, values(999), 1)
    metrics_shared.write(other, values(5, depth=7), 2)
    found = total(own, values(3))
    assert found[REQUESTS][LABELS][0] == 8 and found[REQUESTS][LABELS][-1] == pytest.approx(0.8)
    assert found['compute_pool_limit'][('casts',)] == 20
    assert found['compute_broker_queue_messages'][('api',)] == 7


def test_the_ended_keep_what_they_counted_and_nothing_else(tmp_path: Path) -> None:
    own = tmp_path / 'a.json'
    for number in range(3):
        path = tmp_path / f'gone{number}.json'
        metrics_shared.write(path, values(10), 77)
        metrics_shared.bury(path)
        metrics_shared.bury(path)
        assert not path.exists()
    found = total(own, values(1))
    assert found[REQUESTS][LABELS][0] == 31
    assert found['compute_reaper_actions_total'][('create', 'resent')] == 31
    assert found['compute_pool_limit'][('casts',)] == 10, 'a pool of the dead is none'
    assert [told.pid for told in metrics_shared.others(own)] == [0]


def test_one_that_is_being_buried_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, dying = tmp_path / 'a.json', tmp_path / 'dying.json'
    metrics_shared.write(dying, values(10), 2)
    read = metrics_shared.read

    def buried_after(path: Path) -> Any:
        told = read(path)
        if path == dying:
            monkeypatch.setattr(metrics_shared, 'read', read)
            metrics_shared.bury(dying)
        return told
    monkeypatch.setattr(metrics_shared, 'read', buried_after)
    assert total(own, values(1))[REQUESTS][LABELS][0] == 11


@pytest.mark.parametrize('text', [
    b'', b'{', b'[]', b'{"pid": 1}', b'{"pid": 1, "seconds": 0, "names": [], "values": 3}'])
def test_a_file_that_is_no_good_is_left_out(tmp_path: Path, text: bytes) -> None:
    (tmp_path / 'b.json').write_bytes(text)
    assert total(tmp_path / 'a.json', values(1))[REQUESTS][LABELS][0] == 1


def test_a_family_of_another_release_is_left_out(tmp_path: Path) -> None:
    metrics_shared.write(tmp_path / 'b.json', {'compute_of_tomorrow': {('x',): 1}, **values(1)}, 2)
    assert 'compute_of_tomorrow' not in total(tmp_path / 'a.json', values(1))


def test_what_was_shown_is_on_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / 'a.json'
    monkeypatch.setattr(metrics, '_own_file', own)
    monkeypatch.setattr(metrics, '_keeping', threading.Lock())
    monkeypatch.setattr(metrics, '_registry', None)
    metrics_shared.write(tmp_path / 'b.json', values(5), 0)
    before = metrics.value('compute_reaper_actions_total', 'create', 'resent')
    metrics.count('compute_reaper_actions_total', 'create', 'resent', by=2)
    shown = metrics.render().decode()
    assert f'compute_reaper_actions_total{{action="resent",kind="create"}} {before + 7}' in shown
    kept = metrics_shared.read(own)
    assert kept is not None
    assert kept.values['compute_reaper_actions_total'][('create', 'resent')] == before + 2
    assert 'process_open_fds' in shown and 'process_cpu_seconds_total' in shown
