"""A cloud that is well has no findings; what is spoilt is found and shown. The endurance set audits a busy cloud."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.functional.standalone import Client, Cloud, running, wait_for


def audits(folder: Path) -> list[dict[str, Any]]:
    """Return the audits that were kept, the oldest first."""
    with sqlite3.connect(folder / 'db.sqlite') as store:
        return [json.loads(report) for report, in store.execute('SELECT report FROM audits ORDER BY id')]


def test_a_cloud_that_is_well_has_no_findings(tmp_path: Path) -> None:
    options = {'conductor': {'lease': 15, 'begin_timeout': 5, 'reaper_interval': 0.5, 'audit_interval': 0.5,
                             'audit_pause': 1},
               'quota': {'instances': -1, 'cores': -1, 'ram': -1}}
    with running(tmp_path, overrides=options) as stack:
        client = Client(stack)
        cloud = Cloud(client)
        key = cloud.create(name='passing')
        client.wait(key, 'ACTIVE')
        assert client.act(key, 'reboot', {'type': 'HARD'}).status_code == 202
        client.wait(key, 'ACTIVE')
        client.call('DELETE', 'compute', f'/servers/{key}')
        client.gone(key)
        kept = cloud.create(name='kept')
        client.wait(kept, 'ACTIVE')
        count = len(audits(tmp_path))
        done = wait_for(lambda: (found := audits(tmp_path))[max(count, 4) + 1:] and found, 60, 'another audit')
        assert [report for report in done if report['findings'] or report['unseen']] == []
        assert {'ports', 'guests', 'wires', 'shown', 'quota'} <= set(done[-1]['looked_at'])
        _spoil(tmp_path, kept)

        def both() -> list[dict[str, Any]] | None:  # an audit that was under way saw some things before, some after
            found = client.ok('GET', 'compute', '/audit')['audit']['findings']
            return found if {each['code'] for each in found} == {'guest_unknown', 'port_without_server'} else None
        found = wait_for(both, 30, 'just these findings')
        assert {finding['about'].get('guest', finding['about'].get('server')) for finding in found} == {kept}
        assert found[0]['about']['host'] == 'node1'


def _spoil(folder: Path, key: str) -> None:
    """Let a server be gone for the ledger, and for nobody else."""
    with sqlite3.connect(folder / 'db.sqlite', timeout=120) as store:
        store.execute('UPDATE instances SET deleted = 1, vm_state = ? WHERE uuid = ?', ('deleted', key))
        store.execute('DELETE FROM claims')
        store.execute('UPDATE hosts SET vcpus_used = 0, memory_mb_used = 0, disk_gb_used = 0, running_vms = 0')
        store.execute('UPDATE usages SET instances = 0, cores = 0, ram = 0')
