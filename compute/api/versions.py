"""Every microversion with one sentence, how clients ask for one, and the documents that say what is served.

The documents need no token: clients read them before they have one.
"""

from __future__ import annotations

from typing import Any

import orjson
import webob

from compute.api.history import HISTORY
from compute.exception import ComputeError, Invalid, NotFound
from compute.http.reader import REFUSAL
from compute.rest.call import Call
from compute.rest.errors import compute_shape, for_caller
from compute.rest.op import Op, Resource
from compute.rest.versions import Negotiation, Version

MINIMUM, MAXIMUM = Version.of(HISTORY[0][0]), Version.of(HISTORY[-1][0])
NEGOTIATION = Negotiation('compute', MINIMUM, MAXIMUM, 'X-OpenStack-Nova-API-Version')

_MEDIA = 'application/vnd.openstack.compute+json;version='
_KNOWN: dict[str, dict[str, str]] = {
    'v2.0': {'id': 'v2.0', 'status': 'SUPPORTED', 'version': '', 'min_version': '',
             'updated': '2011-01-21T11:33:21Z'},
    'v2.1': {'id': 'v2.1', 'status': 'CURRENT', 'version': str(MAXIMUM), 'min_version': str(MINIMUM),
             'updated': '2013-07-23T11:33:21Z'},
}
_PATHS = {'v2.0': '/v2/', 'v2.1': '/v2.1/'}


def document(name: str, root: str) -> dict[str, Any]:
    """Return the full document of one version. :raises NotFound: there is no such version."""
    if name not in _KNOWN:
        raise NotFound(f'Version {name} could not be found; there are {" and ".join(_KNOWN)}.')
    links = [{'rel': 'self', 'href': root + _PATHS[name]},
             {'rel': 'describedby', 'type': 'text/html', 'href': 'http://docs.openstack.org/'}]
    return {**_KNOWN[name], 'links': links, 'media-types': _media_types(name)}


def _media_types(name: str) -> list[dict[str, str]]:
    return [{'base': 'application/json', 'type': _MEDIA + ('2' if name == 'v2.0' else '2.1')}]


def show_own(call: Call) -> Any:
    """Show the version under whose prefix the request came."""
    name = 'v2.0' if call.base_url.endswith('/v2') else 'v2.1'
    return {'version': document(name, call.root_url)}


def show(call: Call) -> Any:
    """Show a version by its name."""
    return {'version': document(call.path['id'], call.root_url)}


RESOURCE = Resource('versions', (
    Op('GET', '/', show_own, public=True),
    Op('GET', '/versions/{id}', show, public=True),
))


class Versions:
    """What answers outside ``/v2`` and ``/v2.1``: the list of versions at ``/``, and a choice (300) anywhere else."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = webob.Request(environ)
        try:
            if (refusal := environ.get(REFUSAL)) is not None:
                raise refusal
            response = self._choices(request, _path(request))
        except ComputeError as error:
            shown = for_caller(error, is_admin=False)
            response = _answer(shown.status, compute_shape(shown.status, shown.message, shown))
        return response(environ, start_response)

    @staticmethod
    def _choices(request: webob.Request, path: str) -> webob.Response:
        if path in ('', '/'):
            return _answer(200, {'versions': [_listed(name, request.application_url) for name in _KNOWN]})
        choices = [{'id': name, 'status': known['status'], 'media-types': _media_types(name),
                    'links': [{'rel': 'self', 'href': request.application_url + _PATHS[name].rstrip('/') + path}]}
                   for name, known in _KNOWN.items()]
        return _answer(300, {'choices': choices})


def _path(request: webob.Request) -> str:
    try:
        return str(request.path_info)
    except UnicodeDecodeError:
        raise Invalid('The URL is not in UTF-8') from None


class Slash:
    """Sends a client that asks for an endpoint's root without its slash to the path with it (302)."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get('PATH_INFO') and environ['REQUEST_METHOD'] in ('GET', 'HEAD'):
            request = webob.Request(environ)
            query = f'?{request.query_string}' if request.query_string else ''
            response = webob.Response(status=302, content_type='text/plain')
            response.headers['Location'] = f'{request.application_url}/{query}'
            return response(environ, start_response)
        return self._app(environ, start_response)


def _listed(name: str, root: str) -> dict[str, Any]:
    return {**_KNOWN[name], 'links': [{'rel': 'self', 'href': root + _PATHS[name]}]}


def _answer(status: int, body: dict[str, Any]) -> webob.Response:
    return webob.Response(status=status, body=orjson.dumps(body), content_type='application/json', charset=None)
