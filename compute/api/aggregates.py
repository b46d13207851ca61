"""Host aggregates: the list, which the client reads whenever it shows a hypervisor.

TEMPORARY: nothing can make an aggregate yet, so there are none. The issue that brings tables and operations of
aggregates replaces ``index`` by a query; route, policy and shape stay.
"""

from __future__ import annotations

from typing import Any

from compute.policies import aggregates as policy
from compute.rest.call import Call
from compute.rest.op import Op, Resource


def index(call: Call) -> Any:
    """List the aggregates."""
    return {'aggregates': []}


RESOURCE = Resource('os-aggregates', (
    Op('GET', '/os-aggregates', index, policy=policy.INDEX),
))
