"""Every API keeps answers for requests that come again, and rebuilds those without a body."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from compute.rest.op import Op
from compute.rest.versions import NEWEST

APIS = ('compute.api.routes', 'compute.builtin.identity.routes', 'compute.builtin.image.daemon',
        'compute.builtin.network.api.routes')


def posts() -> Iterator[tuple[str, Op]]:
    """Yield what a key may be sent with."""
    for module in APIS:
        for resource in importlib.import_module(module).RESOURCES:
            yield from ((module, op) for op in resource.ops
                        if op.method in ('POST', 'ACTION') and not op.public and not op.is_refused)


def test_there_are_posts_in_every_api() -> None:
    assert {module for module, _ in posts()} == set(APIS)


@pytest.mark.parametrize(('module', 'op'), [pytest.param(module, op, id=f'{op.method} {op.path} {op.until or ""}')
                                            for module, op in posts()])
def test_what_answers_without_a_body_can_be_answered_again(module: str, op: Op) -> None:
    """202 and 204 have nothing to be lost but the news that it was done, unless the row says what else."""
    if op.status_at(NEWEST) in (202, 204):
        assert op.again is not None, f'{op.path} in {module}: say again=nothing, or how its answer is rebuilt'
    assert not op.raw, f'{op.path}: a body that is not read cannot be told from another'
