"""compute.journal: a line carries the ids of its request as fields, and no time or process in its text."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = '''
import json, logging
from oslo_log import handlers
lines = []
class Journal:
    send = staticmethod(lambda text, **fields: lines.append([text, fields]))
handlers.journal = Journal
from compute import context
from compute.configure import configure
configure(['--use-journal'], 'compute-api')
context.RequestContext(request_id='req-1', global_request_id='req-2', project_id='p', user_id='u', overwrite=True)
logging.getLogger('compute.x').info('hello')
print(json.dumps(lines[-1]))
'''


@pytest.fixture(scope='module')
def line() -> tuple[str, dict[str, str]]:
    """What a process of its own, whose logs are set up as a daemon's, would send to the journal."""
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', PROGRAM], capture_output=True, text=True, check=True)
    text, fields = json.loads(done.stdout)
    return text, fields


def test_fields(line: tuple[str, dict[str, str]]) -> None:
    fields = line[1]
    assert {name: fields.get(name) for name in ('REQUEST_ID', 'GLOBAL_REQUEST_ID', 'PROJECT_ID', 'USER', 'LOGGER_NAME',
                                                'PRIORITY')} == {
        'REQUEST_ID': 'req-1', 'GLOBAL_REQUEST_ID': 'req-2', 'PROJECT_ID': 'p', 'USER': 'u', 'LOGGER_NAME': 'compute.x',
        'PRIORITY': 6}


def test_text_leaves_out_what_the_journal_knows(line: tuple[str, dict[str, str]]) -> None:
    assert line[0] == 'compute.x: [req-2 req-1 p u] hello'
