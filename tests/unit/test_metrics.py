"""Metrics: values by series, sources that hang or break, and the format as Prometheus' own parser reads it."""

from __future__ import annotations

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from compute import metric_families, metrics

CALL = ('conductor.reports', 'begin')


@pytest.fixture(autouse=True)
def clean():
    metrics.reset()
    yield
    metrics.reset()


def shown() -> dict[tuple[str, tuple], float]:
    text = metrics.render().decode()
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


def test_counters_add_up_and_gauges_are_set():
    metrics.count('compute_rpc_casts_unsent_total', *CALL)
    metrics.count('compute_rpc_casts_unsent_total', *CALL, by=2)
    metrics.set_value('compute_pool_pending', 7, 'builds')
    metrics.set_value('compute_pool_pending', 3, 'builds')
    labels = (('interface', CALL[0]), ('method', CALL[1]))
    assert shown()['compute_rpc_casts_unsent_total', labels] == 3
    assert shown()['compute_pool_pending', (('pool', 'builds'),)] == 3
    assert metrics.value('compute_rpc_casts_unsent_total', *CALL) == 3


def test_a_histogram_is_cumulative_and_has_sum_and_count():
    for seconds in (0.0005, 0.001, 0.004, 0.3, 99.0):
        metrics.observe('compute_hub_lag_seconds', seconds)
    found = shown()
    buckets = {dict(labels)['le']: value for (name, labels), value in found.items()
               if name == 'compute_hub_lag_seconds_bucket'}
    assert (buckets['0.001'], buckets['0.005'], buckets['0.25'], buckets['0.5'], buckets['30.0'], buckets['+Inf']) == (
        2, 3, 3, 4, 4, 5)
    assert found['compute_hub_lag_seconds_count', ()] == 5
    assert found['compute_hub_lag_seconds_sum', ()] == pytest.approx(99.3055)


def test_a_timer_may_learn_its_labels_inside():
    with metrics.Timer('compute_scheduler_decision_seconds', 'placed') as timer:
        timer.labels = ('refused',)
    assert metrics.value('compute_scheduler_decision_seconds', 'refused') == 1
    assert metrics.value('compute_scheduler_decision_seconds', 'placed') == 0


def test_the_process_itself_is_shown():
    names = {name for name, _ in shown()}
    assert {'process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds'} <= names


def test_unknown_names_and_wrong_labels_are_errors_of_the_caller():
    with pytest.raises(KeyError):
        metrics.count('compute_no_such_total')
    with pytest.raises(ValueError, match='takes the labels'):
        metrics.count('compute_rpc_casts_unsent_total', 'one')


def test_series_are_bounded(monkeypatch):
    monkeypatch.setattr(metrics, 'MOST_SERIES', 3)
    for number in range(10):
        metrics.count('compute_pool_rejected_total', f'pool-{number}')
    assert metrics.value('compute_pool_rejected_total', 'other') == 7
    assert metrics.value('compute_metrics_series_dropped_total', 'compute_pool_rejected_total') == 7


def test_threads_lose_no_count():
    def work() -> None:
        for _ in range(5000):
            metrics.count('compute_broker_reconnects_total')
            metrics.observe('compute_hub_lag_seconds', 0.01)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.value('compute_broker_reconnects_total') == 20000
    assert metrics.value('compute_hub_lag_seconds') == 20000


def test_a_source_is_asked_at_each_look_until_it_is_removed():
    remove = metrics.source('test', lambda: [('compute_scheduler_hosts', 5, ())])
    assert shown()['compute_scheduler_hosts', ()] == 5
    remove()
    assert ('compute_scheduler_hosts', ()) not in shown()


def test_a_source_that_breaks_hides_no_other():
    def broken():
        raise RuntimeError('the database is down')
    removes = [metrics.source('broken', broken), metrics.source('well', lambda: [('compute_scheduler_hosts', 5, ())])]
    try:
        assert shown()['compute_scheduler_hosts', ()] == 5
        assert metrics.value('compute_metrics_source_errors_total', 'broken') == 1
    finally:
        for remove in removes:
            remove()


def test_a_source_that_hangs_keeps_nobody_waiting_and_its_last_answer_stays():
    go_on, answers = threading.Event(), [5, 6]

    def slow():
        if len(answers) == 1:
            go_on.wait(120)
        return [('compute_scheduler_hosts', answers.pop(0) if len(answers) > 1 else answers[0], ())]
    remove = metrics.source('slow', slow, slow=True, fresh=0)
    try:
        assert metrics.collect(5)['compute_scheduler_hosts'] == {(): 5}
        assert metrics.collect(0.05)['compute_scheduler_hosts'] == {(): 5}
        assert metrics.value('compute_metrics_source_errors_total', 'slow') == 1
        go_on.set()
        assert metrics.collect(5)['compute_scheduler_hosts'] == {(): 6}
    finally:
        go_on.set()
        remove()


@pytest.mark.parametrize('family', metric_families.FAMILIES, ids=lambda family: family.name)
def test_every_family_follows_the_conventions(family):
    assert family.name.startswith(('compute_', 'openstack_'))
    assert family.text and not family.text.endswith('.')
    assert (family.kind == metric_families.COUNTER) == family.name.endswith('_total') or family.name.endswith(
        ('availabilities_total', 'resource_total'))
    assert bool(family.buckets) == (family.kind == metric_families.HISTOGRAM)
    assert list(family.buckets) == sorted(family.buckets)
    if family.kind == metric_families.HISTOGRAM:
        assert family.name.endswith('_seconds')


def test_no_name_is_given_twice():
    assert len(metrics.BY_NAME) == len(metric_families.FAMILIES)
