"""Probes and what they mean together: slow, failing, hanging, broken; nobody who asks ever waits."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from compute import concurrency, health, lag
from compute.exception import Unavailable
from compute.health import DEGRADED, DOWN, UP, Finding, Health, Probe, Report
from tests.waiting import LONG, comes_true


@pytest.fixture(autouse=True)
def no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """What held up the threads of other tests is not looked at here."""
    monkeypatch.setattr(health, 'LAG', lag.Lag())


def raises(error: Exception) -> Callable[[], float]:
    def look() -> float:
        raise error
    return look


def until(condition: Callable[[], bool]) -> bool:
    return bool(comes_true(condition, LONG))


@pytest.mark.parametrize(('look', 'state', 'reason', 'value'), [
    (lambda: 0.2, UP, '', 0.2),
    (lambda: None, UP, '', None),
    (lambda: 2.5, DEGRADED, 'it took 2.5 s', 2.5),
    (raises(Unavailable('The database does not answer')), DOWN, 'The database does not answer', None),
    (raises(OSError(28, 'No space left on device')), DOWN, 'No space left on device', None),
    (raises(KeyError('x')), DOWN, 'it broke with KeyError', None)])
def test_what_a_look_means(look, state, reason, value):
    probe = Probe('database', look, failing=DOWN, slow_above=1.0, reason='it took {value:.1f} s')
    probe.run()
    found = probe.finding()
    assert found is not None
    assert (found.state, found.reason, found.value) == (state, reason, value)


def test_a_look_that_does_not_come_back_is_a_finding_and_is_not_repeated():
    go_on, looks = threading.Event(), []

    def hang() -> float:
        looks.append(1)
        go_on.wait(LONG * 2)  # whoever waited for it would wait for ever
        return 0.1
    watch = Health([Probe('hypervisor', hang, failing=DOWN, patience=0.1)], interval=0.05).start()
    try:
        assert until(lambda: watch.report().state == DOWN)
        assert 'has not answered' in watch.report().reasons()[0]
        assert len(looks) == 1
        go_on.set()
        assert until(lambda: watch.report().state == UP)
    finally:
        go_on.set()
        watch.stop()


def test_what_fails_is_looked_at_until_it_is_back():
    broken = [True]

    def look() -> float:
        if broken[0]:
            raise Unavailable('gone')
        return 0.0
    watch = Health([Probe('broker', look)], interval=0.05).start()
    try:
        assert until(lambda: watch.report().reasons() == ['broker: gone'])
        assert (watch.report().state, watch.problems(), watch.public_problems()) == (DEGRADED, [], [])
        broken[0] = False
        assert until(lambda: watch.report().state == UP)
    finally:
        watch.stop()


def test_the_public_learns_what_is_down_and_not_why():
    watch = Health([Probe('database', raises(Unavailable('no route to db7.internal')), failing=DOWN,
                          public='The database does not answer')])
    watch.look_now()
    assert watch.problems() == ['database: no route to db7.internal']
    assert watch.public_problems() == ['The database does not answer']


def test_a_full_pool_of_threads_degrades():
    pool, go_on = concurrency.Pool('test', 1, queue=9), threading.Event()
    watch = Health([])
    try:
        assert watch.report().state == UP
        for _ in range(10):
            pool.submit(go_on.wait, 30)
        assert watch.report().reasons() == ['pools: a pool of threads is full to 100%']
    finally:
        go_on.set()
        pool.shutdown()


def test_lag_is_remembered_for_a_while(monkeypatch):
    monkeypatch.setattr(health, 'LAG', lag.Lag())
    health.LAG.note(3.0)
    health.LAG.note(0.0)
    assert Health([]).report().reasons() == ['threads: something held up every thread for 3.0 s']


def test_a_folder_that_cannot_be_written_degrades(tmp_path):
    probe = health.writable('disk', str(tmp_path))
    probe.run()
    assert probe.finding().state == UP
    assert list(tmp_path.iterdir()) == []
    gone = health.writable('disk', str(tmp_path / 'gone'))
    gone.run()
    assert gone.finding().state == DEGRADED


def test_a_process_of_several_daemons_shows_the_worst_of_each_probe():
    good, bad = Finding(probe='database', value=0.1), Finding(probe='database', state=DOWN, reason='gone')
    merged = health.merged([Report(findings=(good,)), Report(findings=(bad, Finding(probe='disk')))])
    assert {finding.probe: finding.state for finding in merged.findings} == {'database': DOWN, 'disk': UP}


def test_what_is_stored_with_a_heartbeat_is_small():
    many = Report(findings=tuple(Finding(probe=f'p{number}', state=DEGRADED, reason='x' * 5000)
                                 for number in range(100)))
    wire = many.to_wire()
    assert wire['state'] == DEGRADED
    assert len(wire['reasons']) == 20 and len(wire['reasons'][0]['reason']) == 300
    assert Report(findings=(Finding(probe='disk'),)).to_wire() == {
        'state': UP, 'reasons': [], 'release': health.release()}


def test_a_probe_of_a_disk_that_is_full_leaves_nothing_there(tmp_path: pathlib.Path) -> None:
    run = ('import os, resource, sys\nfrom compute import health\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n'
           'finding = None\ntry:\n    health._write(sys.argv[1])\nexcept OSError as error:\n    finding = error\n'
           'sys.exit(not finding or str(os.listdir(sys.argv[1])) != "[]")')
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', run, str(tmp_path)], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
