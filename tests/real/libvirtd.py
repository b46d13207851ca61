"""A libvirtd for tests: the one that runs on this machine, or else one that is started and stopped again.

It can be restarted (only where it was started here), to see that a driver survives that.
/dev/kvm becomes what udev makes it until the tests end (tests/real/kvm_device.py).
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import libvirt
import pytest

from tests.real.kvm_device import open_for_the_tests
from tests.waiting import wait_until

URI = 'qemu:///system'


class Daemons:
    """virtlogd and libvirtd in the foreground, as children of the test."""

    def __init__(self) -> None:
        self.logs = pathlib.Path(tempfile.mkdtemp(prefix='test-libvirtd-', dir='/var/tmp'))
        self.virtlogd: subprocess.Popen[bytes] | None = None
        self.libvirtd: subprocess.Popen[bytes] | None = None

    @property
    def ours(self) -> bool:
        """Tell whether libvirtd was started here."""
        return self.libvirtd is not None

    def start(self) -> None:
        """Start both and wait until libvirtd answers."""
        if self.virtlogd is None and not _runs('virtlogd'):
            self.virtlogd = self._spawn('virtlogd')
        self.libvirtd = self._spawn('libvirtd')
        wait_until(self._answers, 'an answer of libvirtd')

    def _answers(self) -> bool:
        assert self.libvirtd is not None and self.libvirtd.poll() is None, (self.logs / 'libvirtd.log').read_text()
        return answers()

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        with (self.logs / f'{name}.log').open('ab') as log:
            return subprocess.Popen([f'/usr/sbin/{name}'], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, start_new_session=True)

    def stop_libvirtd(self) -> None:
        """Stop libvirtd; guests and virtlogd go on."""
        if self.libvirtd is not None:
            self.libvirtd.terminate()
            self.libvirtd.wait(300)
            self.libvirtd = None

    def stop(self) -> None:
        """Stop what was started, unless somebody has guests on it."""
        if self.ours and not _domains():
            self.stop_libvirtd()
            if self.virtlogd is not None:
                self.virtlogd.terminate()
                self.virtlogd.wait(300)
        shutil.rmtree(self.logs, ignore_errors=True)


def answers() -> bool:
    """Tell whether a libvirtd answers."""
    try:
        libvirt.open(URI).close()
    except libvirt.libvirtError:
        return False
    return True


def _domains() -> int:
    connection = libvirt.open(URI)
    try:
        return len(connection.listAllDomains(0))
    finally:
        connection.close()


def _runs(name: str) -> bool:
    return any(path.read_text(errors='replace').strip() == name for path in _comms())


def _comms() -> Iterator[pathlib.Path]:
    for path in pathlib.Path('/proc').glob('[0-9]*/comm'):
        if path.exists():
            yield path


@pytest.fixture(scope='session')
def libvirtd() -> Iterator[Daemons]:
    """Give a libvirtd that answers."""
    if os.geteuid() != 0 or shutil.which('libvirtd', path='/usr/sbin:/usr/bin') is None:
        pytest.skip('needs root and libvirtd')
    libvirt.registerErrorHandler(lambda *_: None, None)
    open_for_the_tests()
    daemons = Daemons()
    if not answers():
        daemons.start()
    yield daemons
    daemons.stop()
