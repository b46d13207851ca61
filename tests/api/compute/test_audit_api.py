"""GET /audit: what the last audit found, for administrators."""

from __future__ import annotations

from compute.db import audits
from compute.objects.finding import AuditReport, Finding, Unseen
from compute.objects.value import now
from tests.api.compute.compute_cloud import ADMIN, MEMBER, ComputeApi


def test_the_last_audit(api: ComputeApi) -> None:
    assert api('GET', '/audit', token=ADMIN, status=200) == {'audit': None}
    finding = Finding(code='port_without_server', message='port p belongs to server s, which does not exist',
                      about={'port': 'p', 'server': 's'}, evidence={'created_at': now()}, fix='delete it',
                      fixable=True)
    for number in range(audits.KEPT + 2):
        report = AuditReport(started_at=now(), finished_at=now(), by=f'c{number}', looked_at=('ports',),
                             findings=(finding,), unseen=(Unseen(what='host', name='h1', reason='it is down'),))
        api.db.transaction(lambda connection, report=report: audits.keep(connection, report))
    shown = api('GET', '/audit', token=ADMIN, status=200)['audit']
    assert shown['by'] == f'c{audits.KEPT + 1}' and shown['looked_at'] == ['ports']
    only, = shown['findings']
    assert only['about'] == {'port': 'p', 'server': 's'} and only['fixable'] and only['done'] is None
    assert shown['not_looked_at'] == [{'what': 'host', 'name': 'h1', 'reason': 'it is down'}]
    api('GET', '/audit', token=MEMBER, status=403)
