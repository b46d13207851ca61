"""compute-manage and compute-status as programs, on empty SQLite stores."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
STORES = ('compute', 'identity', 'image', 'network')
CONFIGURATION = '''
[database]
connection = sqlite:///{folder}/compute.sqlite
identity_connection = sqlite:///{folder}/identity.sqlite
image_connection = sqlite:///{folder}/image.sqlite
network_connection = sqlite:///{folder}/network.sqlite
[identity]
key_repository = {folder}/keys
listen_port = {port}
password_hash_rounds = 4
[service_user]
password = of-the-service
[api]
listen_port = {port}
[image]
listen_port = 1
[network]
listen_port = 1
[metadata]
listen_port = 1
'''


class Control:
    """The two programs with a configuration of their own."""

    def __init__(self, folder: pathlib.Path, port: int) -> None:
        self.folder, self.file = folder, folder / 'control.conf'
        self.file.write_text(CONFIGURATION.format(folder=folder, port=port))

    def run(self, program: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``compute-manage`` or ``compute-status``."""
        code = f'import sys; from compute.cmd.{program} import main; sys.exit(main())'
        return subprocess.run(
            [sys.executable, '-c', code, '--config-file', str(self.file), *words], cwd=ROOT, capture_output=True,
            text=True, timeout=120, check=False, env={**os.environ, 'OS_BOOTSTRAP_PASSWORD': '', **environment})

    def store(self, name: str) -> sqlite3.Connection:
        """Open a store."""
        return sqlite3.connect(self.folder / f'{name}.sqlite')


class Health(BaseHTTPRequestHandler):
    """Answers for a daemon that is well, or sick with a reason."""

    reasons: tuple[str, ...] = ()

    def do_GET(self) -> None:  # noqa: N802
        self.send_response(503 if self.reasons else 200)
        self.end_headers()
        self.wfile.write(json.dumps({'reasons': list(self.reasons) or ['OK']}).encode())

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def health() -> Iterator[HTTPServer]:
    Health.reasons = ()
    server = HTTPServer(('127.0.0.1', 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def control(tmp_path: pathlib.Path, health: HTTPServer) -> Control:
    return Control(tmp_path, health.server_port)


@pytest.fixture
def synced(control: Control) -> Control:
    assert control.run('manage', 'db', 'sync').returncode == 0
    return control


def test_schemas_are_missing_then_there_and_stay(control: Control) -> None:
    before = control.run('manage', 'db', 'version')
    assert before.returncode == 1 and before.stdout.count('missing 0001') == len(STORES)
    check = control.run('status', 'upgrade', 'check')
    assert check.returncode == 1 and 'compute-manage db sync' in check.stdout
    assert control.run('manage', 'db', 'sync', '--store', 'image').stdout.strip().startswith('image: applied 0001')
    assert control.run('manage', 'db', 'sync').returncode == 0
    again = control.run('manage', 'db', 'sync')
    assert again.stdout.count('is at the newest schema') == len(STORES)
    assert control.run('manage', 'db', 'version').returncode == 0
    assert control.run('status', 'upgrade', 'check').returncode == 0
    assert 'data forget_idempotency_keys: done' in control.run('status', 'upgrade', 'check').stdout


def test_bootstrap_makes_a_first_login_once(control: Control) -> None:
    first = control.run('manage', 'identity', 'bootstrap', '--host', 'cloud.example.org', '--endpoint',
                        'image=https://glance.example.org', OS_BOOTSTRAP_PASSWORD='of-the-admin')
    assert first.returncode == 0, first.stderr
    assert f'public endpoint of compute is http://cloud.example.org:{control_port(control)}/v2.1' in first.stdout
    assert 'internal endpoint of image is https://glance.example.org' in first.stdout
    names = {name for name, in control.store('identity').execute('SELECT name FROM identity_users')}
    assert names == {'admin', 'compute'}
    again = control.run('manage', 'identity', 'bootstrap', '--host', 'cloud.example.org', '--endpoint',
                        'image=https://glance.example.org', OS_BOOTSTRAP_PASSWORD='of-the-admin')
    assert again.stdout.strip() == 'identity: nothing to change'
    assert 'of-the-' not in first.stdout + first.stderr + again.stdout


def control_port(control: Control) -> str:
    """Return the port that the configuration gives the API."""
    return control.file.read_text().split('listen_port = ')[1].split()[0]


def test_bootstrap_needs_a_password_from_the_environment(control: Control) -> None:
    done = control.run('manage', 'identity', 'bootstrap')
    assert done.returncode == 2 and 'OS_BOOTSTRAP_PASSWORD' in done.stderr


def test_keys_rotate(control: Control) -> None:
    keys = [control.run('manage', 'identity', 'rotate-keys').stdout for _ in range(2)]
    assert keys[0] != keys[1] and 'tokens are signed with key' in keys[0]


def test_credentials_are_encrypted_anew(control: Control) -> None:
    assert control.run('manage', 'db', 'sync', '--store', 'identity').returncode == 0
    done = control.run('manage', 'identity', 'rotate-credential-keys')
    assert done.returncode == 0 and done.stdout == '0 credentials are encrypted with a new key\n', done.stderr


@pytest.mark.parametrize('words', [(), ('db',), ('db', 'sync', '--store', 'nonsense'), ('identity', 'nonsense'),
                                   ('identity', 'bootstrap', '--endpoint', 'image')])
def test_a_wrong_command_line_is_refused(control: Control, words: tuple[str, ...]) -> None:
    done = control.run('manage', *words)
    assert done.returncode == 2 and 'usage:' in done.stderr and 'Traceback' not in done.stderr


def test_a_store_that_cannot_be_opened_is_told_without_a_trace(control: Control) -> None:
    text = control.file.read_text()
    control.file.write_text(text.replace(f'{control.folder}/compute.sqlite', '/nonexistent/x.sqlite'))
    for program, words in (('manage', ('db', 'sync')), ('status', ()), ('status', ('upgrade', 'check'))):
        done = control.run(program, *words)
        assert done.returncode in (1, 2), program
        assert 'Traceback' not in done.stderr + done.stdout, program


def test_status_shows_what_is_down(synced: Control) -> None:
    done = synced.run('status')
    assert done.returncode == 1
    assert 'nobody answers' in done.stdout
    for title in ('daemons', 'services', 'hosts', 'operations open for more than 60 s'):
        assert f'{title}\n' in done.stdout


def test_status_asks_daemons_of_this_machine_past_a_proxy(synced: Control) -> None:
    done = synced.run('status', '--json', http_proxy='http://127.0.0.1:1', HTTP_PROXY='http://127.0.0.1:1',
                      no_proxy='', NO_PROXY='')
    states = {row['daemon']: row['state'] for row in json.loads(done.stdout)['daemons']}
    assert states == {'identity': 'up', 'api': 'up', 'image': 'down', 'network': 'down', 'metadata': 'down'}


def test_status_as_json_tells_of_daemons_services_and_old_operations(synced: Control) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    insert_service(synced, 'here', now)
    insert_service(synced, 'there', now - datetime.timedelta(hours=1))
    insert_operation(synced, 'old', now - datetime.timedelta(hours=1))
    insert_operation(synced, 'new', now)
    Health.reasons = ('the disk is full',)
    done = synced.run('status', '--json', '--older', '600')
    state = json.loads(done.stdout)
    assert done.returncode == 1
    api = next(row for row in state['daemons'] if row['daemon'] == 'api')
    assert (api['state'], api['problems']) == ('sick', ['the disk is full'])
    assert {row['host']: row['state'] for row in state['services']} == {'here': 'up', 'there': 'down'}
    assert [row['instance_uuid'] for row in state['operations']] == ['old']
    assert state['operations'][0]['age'] >= 3600
    listed = synced.run('manage', 'service', 'list').stdout
    assert 'nova-compute' in listed and 'there' in listed
    titles, _, *work = synced.run('manage', 'operations', '--older', '600').stdout.splitlines()
    assert [line.split()[2] for line in work] == ['old'] and {'owner', 'age', 'lease_until'} <= set(titles.split())


def insert_service(control: Control, host: str, seen: datetime.datetime) -> None:
    """Add a daemon that was seen at a time."""
    with control.store('compute') as store:
        store.execute('INSERT INTO services (uuid, host, binary, zone, topic, last_seen_at, created_at, updated_at) '
                      "VALUES (?, ?, 'nova-compute', 'nova', 'worker', ?, ?, ?)", (host, host, *[str(seen)] * 3))


def insert_operation(control: Control, name: str, opened: datetime.datetime) -> None:
    """Add an open operation."""
    with control.store('compute') as store:
        store.execute('INSERT INTO operations (request_id, kind, instance_uuid, project_id, user_id, args, state, '
                      "deadline_at, created_at, updated_at) "
                      "VALUES ('r', 'create', ?, 'p', 'u', '{}', 'running', ?, ?, ?)",
                      (name, *[str(opened)] * 3))


def test_data_of_the_version_before_is_changed_in_steps(control: Control) -> None:
    control.run('manage', 'db', 'sync', '--store', 'compute')
    with control.store('compute') as store:
        for number in range(5):
            store.execute("INSERT INTO operations (request_id, idempotency_key, kind, instance_uuid, project_id, "
                          "user_id, args, state, deadline_at, created_at, updated_at) VALUES ('r', ?, 'create', ?, "
                          "'p', 'u', '{}', 'done', '2026-01-01', '2026-01-01', '2026-01-01')",
                          (f'key{number}', f'uuid{number}'))
    control.run('manage', 'db', 'sync')
    told = json.loads(control.run('status', '--json', 'upgrade', 'check').stdout)
    data = next(check for check in told if check['what'] == 'data forget_idempotency_keys')
    assert data['result'] == 1 and data['told'].startswith('5 rows')
    done = control.run('manage', 'db', 'migrate-data', '--batch', '2')
    assert (done.returncode, done.stdout.strip()) == (0, 'forget_idempotency_keys: 5 rows changed')
    assert control.run('status', 'upgrade', 'check').returncode == 0
    assert control.run('manage', 'db', 'migrate-data', '--batch', '0').returncode == 2


def test_audit_finds_fixes_and_says_so_with_its_status(synced: Control) -> None:
    words = ('audit', '--no-hosts', '--pause', '0')
    clean = synced.run('manage', *words)
    assert clean.returncode == 0 and '0 findings' in clean.stdout, clean.stderr
    insert_operation(synced, 'old', datetime.datetime.now(datetime.UTC).replace(tzinfo=None))
    found = synced.run('manage', *words, '--json')
    finding, = json.loads(found.stdout)['findings']
    assert found.returncode == 3 and finding['code'] == 'operation_without_server' and finding['done'] is None
    assert finding['about']['server'] == 'old' and finding['evidence']['state'] == 'running'
    assert synced.run('manage', *words, '--only', 'quota_usage_wrong', '--fix').returncode == 0
    fixed = synced.run('manage', *words, '--fix')
    assert fixed.returncode == 0 and 'done: it was cancelled' in fixed.stdout
    assert '1 findings, 0 of them not fixed' in fixed.stdout
    assert synced.run('manage', *words).returncode == 0
    wrong = synced.run('manage', *words, '--only', 'nonsense')
    assert wrong.returncode == 2 and 'operation_past_deadline' in wrong.stderr
