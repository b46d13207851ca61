"""As whom dnsmasq runs: found out once, though networks are made at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compute.builtin.network.agent.linux import dhcp
from compute.builtin.network.agent.linux.settings import from_conf
from tests.contract.network_agent.making import make_conf


def test_nobody_is_told_a_user_that_is_not_settled_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def closed(path: str) -> str:
        looking.set()
        assert go_on.wait(120)
        return path
    monkeypatch.setattr(dhcp, '_closed', closed)
    made = dhcp.Dhcp(from_conf(make_conf(state_dir=str(tmp_path), dnsmasq_user='nobody')))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(made._run_as)
        assert looking.wait(120)
        second = pool.submit(made._run_as)
        threading.Timer(0.1, go_on.set).start()
        assert (first.result(120), second.result(120)) == ('root', 'root')
