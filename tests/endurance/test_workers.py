"""The processes of a REST daemon are replaced under load: no request fails."""

from __future__ import annotations

import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.endurance.conftest import Figures
from tests.functional.standalone import wait_for
from tests.functional.test_workers import children, url

__all__ = ['url']


def test_workers_are_replaced_under_load(url: tuple[str, subprocess.Popen[bytes], Path],  # noqa: F811
                                         figures: Figures) -> None:
    address, parent, log = url
    wait_for(lambda: log.read_text().count('identity runs') == 2, 120, 'two processes that serve')
    first = children(parent)
    stop = threading.Event()

    def load(kept: bool) -> int:
        session, count = requests.Session(), 0
        while not stop.is_set():
            answer = session.get(address, timeout=120, headers={} if kept else {'Connection': 'close'})
            assert answer.status_code == 200, answer.text
            count += 1
        return count
    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(load, kept) for kept in (True, False)]
        try:
            parent.send_signal(signal.SIGHUP)
            wait_for(lambda: len(children(parent)) == 2 and not children(parent) & first, 120, 'the replacement')
        finally:
            stop.set()
        answered = [each.result(60) for each in loads]
    figures.note('requests answered, on kept connections and on new ones', answered)
    figures.at_least('requests answered', sum(answered), 20)
