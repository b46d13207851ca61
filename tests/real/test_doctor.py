"""What the doctor says of real services: RabbitMQ, MariaDB, PostgreSQL."""

from __future__ import annotations

import os
from typing import Any

import oslo_messaging
import pytest
import sqlalchemy as sa

from compute.cmd.doctor import broker, databases
from compute.cmd.doctor.diagnosis import FAILURE, OK, WARNING
from compute.cmd.doctor.machine import Machine
from tests.unit.cmd.doctor.making import make_conf


def address(name: str) -> sa.URL:
    url = os.environ.get(name)
    if not url:
        pytest.skip(f'{name} is not set')
    return sa.make_url(url)


@pytest.mark.parametrize(('changes', 'level', 'word'), [
    ({}, OK, 'accepts the login'), ({'password': 'wrong'}, FAILURE, 'refuses the login'),
    ({'database': 'elsewhere'}, FAILURE, 'refuses the login'), ({'port': 1}, FAILURE, 'no RabbitMQ responds')])
def test_the_broker(changes: dict[str, Any], level: str, word: str) -> None:
    url = address('COMPUTE_TEST_RABBIT_URL').set(**changes)
    conf = make_conf()
    oslo_messaging.TransportURL.parse(conf, 'rabbit://')
    conf.set_override('transport_url', url.render_as_string(hide_password=False))
    only, = broker.look(Machine(), conf)
    assert only.level == level and word in only.found


@pytest.mark.parametrize('name', ['COMPUTE_TEST_MYSQL_URL', 'COMPUTE_TEST_PG_URL'])
def test_the_databases(name: str) -> None:
    url = address(name)
    conf = make_conf(database__connection=url.render_as_string(hide_password=False), database__max_retries=0)
    only, = databases.look(Machine(), conf)
    assert only.level in (OK, WARNING), 'other tests may have left tables there'
    assert databases.NAMES[url.get_backend_name()] in only.found
    conf.set_override('connection', url.set(port=1).render_as_string(hide_password=False), 'database')
    only, = databases.look(Machine(), conf)
    assert only.level == FAILURE
