"""From a URL to the operations that live there. The only module besides the kernel that knows of Routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import routes

from compute.rest import encoded_path
from compute.rest.op import Op, Resource


@dataclass
class Place:
    """What one URL template offers: operations by method, and actions by key."""

    template: str
    methods: dict[str, list[Op]] = field(default_factory=dict)
    actions: dict[str, list[Op]] = field(default_factory=dict)


class Router:
    """All templates of an API."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        places: dict[str, Place] = {}
        for resource in resources:
            for op in resource.ops:
                _add(places, resource, op)
        self._mapper = routes.Mapper()
        self._mapper.explicit = True
        self._mapper.minimization = False
        # A literal part must win over a variable one whatever the order in which resources are listed.
        for template in sorted(places, key=lambda path: [part.startswith('{') for part in path.split('/')]):
            self._mapper.connect(None, template, _place=template)
        self._mapper.create_regs([])
        self.places = places
        self.first_parts = {template.split('/')[1] for template in places}

    def match(self, path: str) -> tuple[Place, dict[str, str]] | None:
        """Return the place at ``path`` and the variable parts of the URL, or None."""
        found = self._mapper.match(path)
        if found is None:
            return None
        return self.places[found.pop('_place')], found


def _add(places: dict[str, Place], resource: Resource, op: Op) -> None:
    if op.method == 'ACTION':
        if resource.actions is None:
            raise ValueError(f'resource {resource.name} has the action {op.path} and no path for actions')
        place = places.setdefault(resource.actions, Place(resource.actions))
        place.actions.setdefault(op.path, []).append(op)
    else:
        place = places.setdefault(op.path, Place(op.path))
        place.methods.setdefault(op.method, []).append(op)


def streaming(resources: Iterable[Resource], prefix: str) -> Callable[[dict[str, Any]], bool]:
    """Return what tells from the WSGI environment whether a request is for an operation that ``streams``.

    ``prefix``: the path of the API on its server.
    """
    router = Router([Resource('streams', tuple(op for resource in resources for op in resource.ops if op.streams))])

    def is_stream(environ: dict[str, Any]) -> bool:
        path = encoded_path.matchable(environ, environ['PATH_INFO'])
        found = router.match(path.removeprefix(prefix)) if path.startswith(f'{prefix}/') else None
        return found is not None and environ['REQUEST_METHOD'] in found[0].methods
    return is_stream
