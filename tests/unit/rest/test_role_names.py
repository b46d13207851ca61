"""Names of roles stay whole on their way into the context: a comma or a blank makes no other role of them."""

from __future__ import annotations

from typing import Any

import pytest

from compute.rest.claims import Claims, Named, Place
from compute.rest.middleware.auth import Authenticate
from compute.rest.middleware.context import MakeContext, make_context

BAD = ['x,admin', 'admin,x', ' admin', 'admin ', '\tadmin', 'admin\u00a0', 'ad\nmin', 'x\r\nX-Roles: admin', '']


def claims(*names: str) -> Claims:
    """Return the claims of a token with these roles, as one made before such names were refused would have them."""
    return Claims(user=Place('u', 'user', 'd', 'D'), methods=('password',), audit_ids=('a',), revision=0, issued_at=0,
                  expires_at=0, project=Place('p', 'project', 'd', 'D'),
                  roles=tuple(Named(f'id{number}', name) for number, name in enumerate(names)))


def environ_of(**headers: str) -> dict[str, Any]:
    """Return the environment that comes out of our own middleware."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        return []
    checker = {'good': claims('member').headers}
    Authenticate(MakeContext(app), lambda token: checker[token])(dict(headers), None)
    return seen


class Answer:
    """What keystonemiddleware keeps of Keystone's answer."""

    def __init__(self, *names: str) -> None:
        self.user = self
        self.role_names = list(names)


@pytest.mark.parametrize('name', BAD)
def test_a_token_with_such_a_role_is_no_administrators(name: str) -> None:
    headers = claims(name, 'member').headers
    context = make_context({f'HTTP_{key.upper().replace("-", "_")}': value for key, value in headers.items()})
    assert context.roles == ['member'] and not context.is_admin


@pytest.mark.parametrize('name', [name for name in BAD if name != ''])
def test_neither_is_one_of_a_real_keystone(name: str) -> None:
    environ = {'HTTP_X_ROLES': f'{name},member', 'keystone.token_auth': Answer(name, 'member')}
    context = make_context(environ)
    assert not context.is_admin and 'member' in context.roles and 'admin' not in context.roles


def test_without_the_answer_of_keystone_the_header_is_read() -> None:
    assert make_context({'HTTP_X_ROLES': 'Admin,member'}).is_admin
    assert not make_context({'HTTP_X_ROLES': 'x, admin'}).is_admin, 'no role is called so: it begins with a blank'
    assert make_context({}).roles == []


def test_the_token_that_was_checked_is_the_one_that_is_used() -> None:
    assert environ_of(HTTP_X_STORAGE_TOKEN='good')['compute.context'].auth_token == 'good'
    both = environ_of(HTTP_X_AUTH_TOKEN='good', HTTP_X_STORAGE_TOKEN='other')
    assert both['compute.context'].auth_token == 'good'
    empty = environ_of(HTTP_X_AUTH_TOKEN='', HTTP_X_STORAGE_TOKEN='good')
    assert empty['compute.context'].auth_token == empty['HTTP_X_AUTH_TOKEN'] == 'good'
    keystone = make_context({'HTTP_X_STORAGE_TOKEN': 'good', 'HTTP_X_ROLES': 'member'})
    assert keystone.auth_token == 'good', 'keystonemiddleware takes it too, and does not rename it'
