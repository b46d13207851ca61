"""The table of features is true: its operations are those of the route table, in the state that it says."""

from __future__ import annotations

import collections

from compute.api.features import FEATURES, NEVER, PLANNED, SUPPORTED
from compute.api.routes import all_resources

_SERVERS = '/servers/{id}/action'


def operations(wanted: str) -> set[str]:
    """Return the operations of the route table that are there, planned, or gone."""
    found: set[str] = set()
    for resource in all_resources():
        for op in resource.ops:
            state = NEVER if op.gone else PLANNED if op.planned else SUPPORTED
            if op.method != 'ACTION':
                name = f'{op.method} {op.path}'
            elif resource.actions == _SERVERS:
                name = f'ACTION {op.path}'
            else:
                name = f'ACTION {op.path} {(resource.actions or "").removesuffix("/{id}/action")}'
            if state == wanted:
                found.add(name)
    return found


def listed(state: str) -> list[str]:
    """Return the operations of the features in a state."""
    return [each for feature in FEATURES if feature.state == state for each in feature.operations]


def test_an_operation_belongs_to_one_feature() -> None:
    counted = collections.Counter(each for feature in FEATURES for each in feature.operations)
    assert [each for each, count in counted.items() if count > 1] == []


def test_what_is_there_is_listed_as_there() -> None:
    assert set(listed(SUPPORTED)) == operations(SUPPORTED)


def test_what_is_planned_is_not_there() -> None:
    assert set(listed(PLANNED)) & operations(SUPPORTED) == set()
    assert operations(PLANNED) <= set(listed(PLANNED)), 'an action of the planned table that no feature names'
    actions = {each for each in listed(PLANNED) if each.startswith('ACTION') and 'migrations' not in each}
    assert actions == operations(PLANNED), 'an action that answers like a mistyped one'


def test_what_never_comes_is_not_there() -> None:
    assert set(listed(NEVER)) & (operations(SUPPORTED) | operations(PLANNED)) == set()
