"""Several applications of one daemon under their prefixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Wsgi = Callable[[dict[str, Any], Any], Any]


class Mount:
    """Passes a request to the application with the longest prefix that fits; ``''`` is the one for the rest."""

    def __init__(self, applications: Mapping[str, Wsgi]) -> None:
        self._applications = sorted(applications.items(), key=lambda pair: len(pair[0]), reverse=True)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get('PATH_INFO', '')
        for prefix, application in self._applications:
            if path == prefix or path.startswith(f'{prefix}/') or not prefix:
                environ['SCRIPT_NAME'] = environ.get('SCRIPT_NAME', '') + prefix
                environ['PATH_INFO'] = path[len(prefix):]
                return application(environ, start_response)
        raise LookupError('a mount needs an application for the rest')
