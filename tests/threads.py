"""The kind of threads of daemons that tests start: what ``CONCURRENCY`` of tools/run_tests.sh asks for, if it does."""

from __future__ import annotations

import os

_CHOSEN = os.environ.get('COMPUTE_CONCURRENCY')
GREEN = _CHOSEN or 'eventlet'
NATIVE = _CHOSEN or 'threading'
