"""The lock of a host's worker: held as long as its process lives, and no longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from compute.worker.host_lock import HostLock
from tests.waiting import LONG

_HOLDER = '''
import sys
from compute.worker.host_lock import HostLock
assert HostLock(sys.argv[1], 'a').take()
print('holds', flush=True)
sys.stdin.read()
'''


def test_one_process_holds_the_locks_of_many_hosts(tmp_path: Path) -> None:
    locks = [HostLock(str(tmp_path / 'worker'), host) for host in 'abc']
    assert all(lock.take() for lock in locks) and all(lock.take() for lock in locks)
    assert not any(HostLock(str(tmp_path / 'worker'), host).take() for host in 'abc')
    for lock in locks:
        lock.release()


def test_the_kernel_frees_it_when_the_process_is_killed(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, '-c', _HOLDER, str(tmp_path)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b'holds\n'
    mine = HostLock(str(tmp_path), 'a')
    assert not mine.take() and mine.holder() == str(other.pid)
    other.kill()
    other.communicate(timeout=LONG)
    assert mine.take()
    mine.release()


def test_programs_that_the_worker_runs_do_not_hold_it(tmp_path: Path) -> None:
    mine = HostLock(str(tmp_path), 'a')
    assert mine.take()
    with subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(b'x\n')
        child.stdin.flush()
        assert child.stdout.readline() == b'x\n'  # it runs
        mine.release()
        again = HostLock(str(tmp_path), 'a')
        assert again.take()
        again.release()
        child.stdin.close()
