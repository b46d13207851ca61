"""Makes the request context from identity headers. Whether an operation needs one is said by its row, to the kernel."""

from __future__ import annotations

import re
from typing import Any

from compute.context import RequestContext, new_request_id

_GLOBAL_ID = re.compile(r'^req-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')


class MakeContext:
    """Puts ``compute.context`` into the environment of an authenticated request and leaves others as they are."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ.pop('compute.context', None)
        if environ.get('HTTP_X_IDENTITY_STATUS') == 'Confirmed':
            environ['compute.context'] = make_context(environ)
        return self._app(environ, start_response)


def make_context(environ: dict[str, Any]) -> RequestContext:
    """Build the context of an authenticated request."""
    def header(name: str) -> str | None:
        return environ.get('HTTP_' + name) or None
    roles = _roles(environ)
    global_id = header('X_OPENSTACK_REQUEST_ID')
    context = RequestContext(
        auth_token=header('X_AUTH_TOKEN') or header('X_STORAGE_TOKEN'), user_id=header('X_USER_ID'),
        user_name=header('X_USER_NAME'),
        user_domain_id=header('X_USER_DOMAIN_ID'), project_id=header('X_PROJECT_ID'),
        project_name=header('X_PROJECT_NAME'), project_domain_id=header('X_PROJECT_DOMAIN_ID'),
        domain_id=header('X_DOMAIN_ID'), system_scope=header('OPENSTACK_SYSTEM_SCOPE'), roles=roles,
        is_admin='admin' in [role.lower() for role in roles],
        request_id=environ.get('openstack.request_id') or new_request_id(),
        global_request_id=global_id if global_id and _GLOBAL_ID.match(global_id) else None, overwrite=True)
    context.trace = environ.get('compute.trace')
    return context


def _roles(environ: dict[str, Any]) -> list[str]:
    """Return the names of the caller's roles.

    keystonemiddleware keeps what Keystone answered beside the headers. There the names are a list, so that a name with
    a comma stays one name. Our own middleware leaves such names out of the header (``claims.py``).
    """
    checked = environ.get('keystone.token_auth')
    if checked is not None and checked.user is not None:
        names: list[str] = list(checked.user.role_names)
    else:
        names = (environ.get('HTTP_X_ROLES') or '').split(',')
    return [name for name in names if name and name == name.strip()]
