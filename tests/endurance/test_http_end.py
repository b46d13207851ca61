"""Processes that share a listening socket are replaced under load, in both modes of threads: no request is lost."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from tests.endurance.conftest import Figures
from tests.functional.standalone import wait_for
from tests.functional.test_http_end import Start, start

__all__ = ['start']


def test_a_socket_that_outlives_the_process_loses_nothing(start: Start, figures: Figures) -> None:
    """Two processes share a listening socket and are replaced in turn, at last both at once."""
    with contextlib.closing(socket.create_server(('127.0.0.1', 0), backlog=200)) as listener:
        port = listener.getsockname()[1]
        stop = threading.Event()

        seen: set[str] = set()

        def load(kept: bool) -> int:
            count = 0
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
            while not stop.is_set():
                connection.request('GET', '/')
                answer = connection.getresponse()
                assert answer.status == 200
                seen.add(answer.read().decode())
                count += 1
                if not kept:
                    connection.close()
            return count

        def begin() -> subprocess.Popen[str]:
            process = start(port, listener)
            wait_for(lambda: str(process.pid) in seen or not loads, 20, f'an answer of {process.pid}')
            return process
        loads: list[Future[int]] = []
        processes = [begin() for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            loads += [pool.submit(load, kept) for kept in (True, False, True, False)]
            try:
                for number in range(2):
                    processes[number].send_signal(signal.SIGTERM)
                    assert processes[number].wait(20) == 0
                    processes[number] = begin()
                for process in processes:
                    process.send_signal(signal.SIGTERM)
                assert [process.wait(20) for process in processes] == [0, 0]
                begin()
            finally:
                stop.set()
            answered = [each.result(60) for each in loads]
    figures.note('requests answered, of each client', answered)
    figures.at_least('requests answered', sum(answered), 100)
