"""Actions that the API has and this release has not: they do not answer like a mistyped one."""

from __future__ import annotations

import pytest

from compute.api.planned import SERVER_ACTIONS
from tests.api.compute.compute_cloud import MEMBER
from tests.api.compute.serving import LATEST, Servers, message

LEFT_WITH_2_44 = ('addFixedIp', 'addFloatingIp', 'removeFixedIp', 'removeFloatingIp')
LEFT_WITH_2_6 = ('os-getSPICEConsole', 'os-getSerialConsole', 'os-getVNCConsole')


@pytest.mark.parametrize('action', SERVER_ACTIONS)
def test_a_planned_action_says_so(servers: Servers, action: str) -> None:
    key = servers.insert().uuid
    version = '2.5' if action in LEFT_WITH_2_6 else '2.43'
    answer = servers.api.send('POST', f'/v2.1/servers/{key}/action', {action: None}, version=version, token=MEMBER)
    assert answer.status_int == 501
    assert action in message(answer.json) and 'release notes' in message(answer.json)
    assert answer.json['notImplemented']['reason'] == 'not_built'


@pytest.mark.parametrize('action', [*LEFT_WITH_2_44, *LEFT_WITH_2_6])
def test_a_planned_action_that_left_the_api_is_not_there(servers: Servers, action: str) -> None:
    servers.act(servers.insert().uuid, action, None, status=404)


def test_a_mistyped_action_is_refused(servers: Servers) -> None:
    assert 'no such action' in message(servers.act(servers.insert().uuid, 'reboott', None, status=400))


def test_without_a_token_nobody_learns_it(servers: Servers) -> None:
    answer = servers.api.send('POST', f'/v2.1/servers/{servers.insert().uuid}/action', {'shelve': None}, version=LATEST,
                              token=None)
    assert answer.status_int == 401
