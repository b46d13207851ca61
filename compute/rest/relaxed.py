"""The same API for clients of before strict checks: keys that an operation does not know are dropped, not refused.

``relaxed`` returns resources whose bodies and queries behave so; nothing else about them changes.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from compute.rest.fields import Fields, ListOf
from compute.rest.op import Body, Op, Resource
from compute.rest.versions import Version


def relaxed(resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Return the resources with tolerant bodies and queries."""
    return tuple(dataclasses.replace(resource, ops=tuple(_tolerant(op) for op in resource.ops))
                 for resource in resources)


def _tolerant(op: Op) -> Op:
    body = _Tolerant(op.body) if op.body is not None else None
    query = op.query
    if query is not None:
        query = copy.copy(query)
        query.strict = None
    return dataclasses.replace(op, body=body, query=query)


class _Tolerant(Body):
    """A body that forgets unknown keys before it checks the others."""

    def __init__(self, strict: Body) -> None:
        self.__dict__.update(strict.__dict__)

    def read(self, version: Version, data: Any) -> tuple[Any, dict[str, Any]]:
        return super().read(version, known(self.table, version, data))


def known(entry: Any, version: Version, data: Any) -> Any:
    """Return ``data`` with only the keys that ``entry`` has at ``version``, at every depth that is a table."""
    if isinstance(entry, ListOf) and isinstance(data, list):
        return [known(entry.item, version, item) for item in data]
    if not isinstance(entry, Fields) or not isinstance(data, dict):
        return data
    rows = {name: field.schema for name, field in entry.rows() if version in field.window}
    return {key: known(rows.get(key), version, value) for key, value in data.items() if key in rows or entry.extra
            or entry.rules and 'patternProperties' in entry.rules}
