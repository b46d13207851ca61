"""Schemas that several resources share, and how values become what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compute.builtin.network.db import rows
from compute.builtin.network.db.booleans import truth
from compute.builtin.network.db.kinds import Kind
from compute.rest.fields import Fields, ListOf, fields
from compute.rest.op import Body

TEXT = {'type': 'string', 'maxLength': 255}
TEXT_OR_NULL = {'type': ['string', 'null'], 'maxLength': 255}
BOOL = {'enum': [True, False, 'true', 'false', 'True', 'False', 'TRUE', 'FALSE']}
INTEGER: dict[str, Any] = {'anyOf': [{'type': 'integer', 'minimum': 0, 'maximum': 2147483647},
                                     {'type': 'string', 'pattern': '^[0-9]{1,9}$'}, {'type': 'null'}]}
"""Some clients, the ``openstack`` command among them, send numbers as text."""
PROJECT = {'type': 'string', 'maxLength': 64}
ID = {'type': 'string', 'pattern': '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$'}
ADDRESS = {'type': 'string', 'maxLength': 64}
NULL = {'type': 'null'}
EMPTY = {'type': ['array', 'null'], 'maxItems': 0}
TAG: dict[str, Any] = {'type': 'string', 'minLength': 1, 'maxLength': 255}
TAGS: dict[str, Any] = {'type': 'array', 'items': TAG, 'maxItems': 50, 'uniqueItems': True}
_LABEL = '[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
DOMAIN = {'type': ['string', 'null'], 'maxLength': 255, 'pattern': rf'^$|^{_LABEL}(\.{_LABEL})*\.?$'}

OWNER = {'project_id': PROJECT, 'tenant_id': PROJECT}


def one_or_many(kind: Kind, table: Fields, limit: int = 1000) -> Body:
    """Return the body of a create: one under its name, or a list under the collection's."""
    return Body(None, fields({kind.name: table, kind.collection: ListOf(table, {'minItems': 1, 'maxItems': limit})},
                             rules={'minProperties': 1, 'maxProperties': 1}))


def stored(kind: Kind, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with booleans as such, defaults for null in columns without it, one name for the project."""
    found = dict(attributes)
    for name, value in attributes.items():
        column = kind.columns.get(name)
        if column is None:
            continue
        if column.type.python_type is bool:
            found[name] = value if isinstance(value, bool) else truth(name, value)
        elif column.type.python_type is int and isinstance(value, str):
            found[name] = int(value)
        elif value is None and not column.nullable and column.default is not None:
            found[name] = rows.default_of(column)
    tenant = found.pop('tenant_id', None)
    if tenant is not None:
        found.setdefault('project_id', tenant)
    return found
