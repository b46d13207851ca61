"""The fake plumbing keeps the contract."""

from __future__ import annotations

import pytest

from compute.builtin.network.agent.fake import FakePlumbing
from compute.builtin.network.agent.plumbing import Plumbing
from tests.contract.network_agent.contract import PlumbingContract


class TestFakePlumbing(PlumbingContract):
    @pytest.fixture
    def plumbing(self) -> Plumbing:
        return FakePlumbing()
