"""The daemon: its schema, its endpoint, its heartbeat, its health."""

from __future__ import annotations

import pathlib

from compute.db import services
from compute.rpc.scheduler import Select
from compute.scheduler.daemon import SchedulerDaemon
from tests.unit.scheduler.making import make_conf
from tests.waiting import wait_until


def test_the_daemon_lives(tmp_path: pathlib.Path) -> None:
    conf = make_conf()
    conf.set_override('connection', f'sqlite:///{tmp_path}/store.sqlite', group='database')
    conf.set_override('host', 'control-1')
    daemon = SchedulerDaemon(conf, None)
    daemon.prepare()
    assert [isinstance(endpoint, Select) for endpoint in daemon.endpoints()] == [True]
    daemon.start()
    try:
        found = wait_until(lambda: daemon._db.read(
            lambda connection: services.page(connection, binary='nova-scheduler')), 'the row of the service')
        assert [(each.host, each.topic, each.zone) for each in found] == [('control-1', 'scheduler', 'internal')]
        assert daemon.health() == []
    finally:
        daemon.stop()


def test_a_database_that_does_not_answer_is_a_problem() -> None:
    conf = make_conf()
    conf.set_override('connection', 'mysql+pymysql://nobody@127.0.0.1:1/none', group='database')
    conf.set_override('max_retries', 0, group='database')
    daemon = SchedulerDaemon(conf, None)
    daemon.watch.look_now()
    assert daemon.health() == ['The database does not answer']
