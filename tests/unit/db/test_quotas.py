"""Limits from four places, and charges that no number of requests at once can push past a limit."""

from __future__ import annotations

import threading

import pytest
from oslo_config import cfg

from compute.db import quotas
from compute.db.session import Database
from compute.exception import OverQuota

LIMITS = {**dict.fromkeys(quotas.RESOURCES, -1), 'instances': 10, 'cores': 20, 'ram': 1000}


def used(db: Database) -> dict[str, int]:
    return db.read(lambda connection: quotas.usage_of(connection, 'p1'))


def charge(db: Database, **amounts: int) -> None:
    db.transaction(lambda connection: quotas.charge(connection, LIMITS, 'p1', **amounts))


def test_where_limits_come_from(db: Database, conf: cfg.ConfigOpts) -> None:
    def limit(user: str | None = None) -> int:
        return db.read(lambda connection: quotas.limits_of(connection, conf, 'p1', user))['cores']
    assert limit() == 20
    db.transaction(lambda connection: quotas.set_class_limit(connection, 'default', 'cores', 30))
    assert limit() == 30
    db.transaction(lambda connection: quotas.set_limit(connection, 'p1', 'cores', 5))
    db.transaction(lambda connection: quotas.set_limit(connection, 'p1', 'cores', 6))
    assert limit() == limit('ann') == 6
    db.transaction(lambda connection: quotas.set_limit(connection, 'p1', 'cores', 4, 'ann'))
    assert (limit('ann'), limit('bob')) == (4, 6)
    db.transaction(lambda connection: quotas.reset(connection, 'p1', 'ann'))
    assert limit('ann') == 6
    db.transaction(lambda connection: quotas.reset(connection, 'p1'))
    assert limit() == 30


def test_charge_and_refund(db: Database) -> None:
    charge(db, instances=1, cores=4, ram=100)
    charge(db, instances=1, cores=2)
    assert used(db) == {'instances': 2, 'cores': 6, 'ram': 100, 'server_groups': 0}
    db.transaction(lambda connection: quotas.refund(connection, 'p1', instances=1, cores=4, ram=500))
    assert used(db) == {'instances': 1, 'cores': 2, 'ram': 0, 'server_groups': 0}


def test_the_message_names_all_that_falls_short(db: Database) -> None:
    charge(db, instances=1, cores=18)
    with pytest.raises(OverQuota) as caught:
        charge(db, instances=1, cores=4)
    assert caught.value.message == 'Quota exceeded for cores: Requested 4, but already used 18 of 20 cores'
    with pytest.raises(OverQuota) as caught:
        charge(db, instances=1, cores=4, ram=1001)
    assert caught.value.message == ('Quota exceeded for cores, ram: Requested 4, 1001, but already used 18, 0 of '
                                    '20, 1000 cores, ram')
    assert used(db)['instances'] == 1


def test_giving_back_is_never_refused(db: Database) -> None:
    db.transaction(lambda connection: quotas.charge(connection, {**LIMITS, 'cores': -1}, 'p1', cores=50))
    charge(db, cores=-10, ram=10)
    assert used(db)['cores'] == 40


def test_a_limit_of_zero(db: Database) -> None:
    with pytest.raises(OverQuota):
        db.transaction(lambda connection: quotas.charge(connection, {**LIMITS, 'cores': 0}, 'p1', cores=1))


def test_many_at_once_never_pass_the_limit(db: Database) -> None:
    refused = []

    def one() -> None:
        try:
            charge(db, instances=1, cores=1)
        except OverQuota:
            refused.append(1)
    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert used(db)['instances'] == 10
    assert len(refused) == 30


@pytest.mark.parametrize(('project', 'user', 'binds'), [(6, 4, 4), (4, 6, 4), (-1, 6, 6), (4, -1, 4), (-1, -1, -1)])
def test_a_users_limit_does_not_lift_the_projects(db: Database, conf: cfg.ConfigOpts, project: int, user: int,
                                                  binds: int) -> None:
    db.transaction(lambda connection: quotas.set_limit(connection, 'p1', 'cores', project))
    db.transaction(lambda connection: quotas.set_limit(connection, 'p1', 'cores', user, 'ann'))
    shown = db.read(lambda connection: quotas.limits_of(connection, conf, 'p1', 'ann'))
    charged = db.read(lambda connection: quotas.limits_of(connection, conf, 'p1', 'ann', binding=True))
    assert (shown['cores'], charged['cores']) == (user, binds)
