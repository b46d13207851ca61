"""The HTTP kernel: Op row -> body -> version -> schema -> load -> policy -> handler -> view -> response.

One ``Api`` is one REST API: its table of resources, its versions, its shape of errors. Everything that is the same for
all operations is done here once, so that a handler holds nothing but its own matter.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
import webob
import webob.exc

from compute import context as ctx
from compute.exception import ComputeError, Forbidden, Gone, Invalid, NotBuilt, NotFound, TooLarge, Unauthorized
from compute.http.reader import REFUSAL
from compute.rest import encoded_path, idempotency
from compute.rest.call import Call
from compute.rest.errors import Shape, for_caller
from compute.rest.middleware.size_limit import MAX_BODY
from compute.rest.op import Op, Resource
from compute.rest.policy import Policy
from compute.rest.quoting import shortened
from compute.rest.reply import Reply, Stream
from compute.rest.router import Place, Router
from compute.rest.versions import NEWEST, Negotiation, Version

LOG = logging.getLogger(__name__)
_DEEPEST = 64
_BODY = 'compute.body'  # in the WSGI environment: the body, parsed
_NUL = re.compile(rb'(?<!\\)(?:\\\\)*\\u0000')
_PROJECT = re.compile(r'^/([0-9a-f-]{32,36})(/.*)$')
_UNSEEN = 'An unexpected error prevented the server from fulfilling your request; it is in the log under {request_id}.'


class BadMethod(ComputeError):
    """405, with the methods that are allowed."""

    status, code = 405, 'method_not_allowed'


class BadMedia(ComputeError):
    """415: the body is of a type that is not read here."""

    status, code = 415, 'unsupported_media_type'


@dataclass(frozen=True)
class Api:
    """What the kernel needs to know of an API.

    :param app: handed to handlers as ``call.app``.
    :param prefix: path of this API below its endpoint (``/v2.1``), used in links.
    :param project_in_path: URLs may carry the project's id first, as Compute's and Volume's do.
    :param max_body: bytes of a parsed body.
    :param version: of every request, where there is no negotiation.
    :param answers: to requests with an Idempotency-Key; without, the header means nothing.
    :param admin: the rule that says who is an administrator; without, whoever has the role ``admin`` is.
    :param exact: a URL that ends with a slash is another URL, and 404, as in Glance.
    """

    name: str
    resources: tuple[Resource, ...]
    app: Any
    policy: Policy
    shape: Shape
    prefix: str
    versions: Negotiation | None = None
    project_in_path: bool = False
    max_body: int = 114688
    version: Version = NEWEST
    answers: idempotency.Answers | None = None
    admin: str | None = None
    exact: bool = False


class Kernel:
    """The WSGI application of an API."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._router = Router(api.resources)
        for op in (op for resource in api.resources for op in resource.ops):
            if op.policy is not None and not api.policy.knows(op.policy):
                raise ValueError(f'{api.name}: {op.method} {op.path} names the unknown policy {op.policy}')
            if op.policy is None and not op.public and not op.is_refused:
                raise ValueError(f'{api.name}: {op.method} {op.path} has no policy')

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get('HTTP_TRANSFER_ENCODING', '').lower() == 'chunked':
            # The server ends a chunked body itself; webob needs this flag to read it.
            environ['wsgi.input_terminated'] = True
            environ.pop('CONTENT_LENGTH', None)
        request = webob.Request(environ)
        version: Version | None = None
        try:
            version = self.api.versions.choose(request.headers) if self.api.versions else self.api.version
            if (refusal := environ.get(REFUSAL)) is not None:
                raise refusal
            response = self._serve(request, version)
        except ComputeError as error:
            response = self._fault(request, error)
        except Exception as error:
            LOG.exception('%s %s failed', request.method, request.path)
            response = self._fault(request, _unseen(request, error))
        if self.api.versions is not None:
            shown = version or self.api.versions.minimum
            response.headers.extend(self.api.versions.headers(shown))
        return response(environ, start_response)

    def _serve(self, request: webob.Request, version: Version) -> webob.Response:
        context = request.environ.get('compute.context')
        known = context is not None
        if known and self.api.admin:
            self.api.policy.settle_admin(context, self.api.admin)
        context = context or _unknown(request.environ)
        _demand_text(request)
        path, project = self._path(request, context)
        found = None if '\0' in path else self._router.match(path)  # no database takes it, so nothing has that name
        if found is None:
            _demand_token(request, known)
            raise NotFound('The resource could not be found.', code='no_such_url')
        place, parts = found
        request.environ['compute.route'] = self.api.prefix + place.template
        data = None
        if request.method == 'POST' and place.actions:
            _demand_token(request, known)
            data = self._json(request)
            op = self._action(place, data, version)
            request.environ['compute.route'] += f' {op.path}'
        else:
            op = _operation(place, request.method, version)
        _demand_token(request, known or op.public)
        call = self._call(request, op, version, context, parts)
        call.bookmark_url = f'{call.root_url}{project}'
        call.base_url = f'{call.root_url}{self.api.prefix}{project}'
        if op.gone:
            raise Gone(f'{op.path} was removed from this API.')
        if op.planned:
            raise NotBuilt(f'The action {op.path} is not supported by this release yet. The table of features in '
                           'README.md and the release notes say what is.')
        heeds = request.method == 'POST' and not (op.public or op.raw or op.reads)
        asks_once = heeds and idempotency.HEADER in request.headers
        if self.api.answers is None or not asks_once:
            return self._do(call, request, data)
        return self._once(self.api.answers, call, request, data)

    def _do(self, call: Call, request: webob.Request, data: Any) -> webob.Response:
        self._authorise(call)
        self._fill(call, request, data)
        assert call.op.handler is not None
        return self._respond(request, call, call.op.handler(call))

    def _once(self, answers: idempotency.Answers, call: Call, request: webob.Request, data: Any) -> webob.Response:
        """Do it unless it was done before. Who was answered may hear it again, so nothing is loaded first: perhaps what
        was done is that the target is gone."""
        again = call.op.again

        def rebuild(request_id: str) -> webob.Response:
            self._fill(call, request, data)
            return self._respond(request, call, again(call, request_id) if again else None)
        work = idempotency.Work(lambda: self._do(call, request, data), lambda error: self._fault(request, error),
                                rebuild if again else None)
        return answers.once(idempotency.claim(request, call.context, call.version, self._limit(request), data), work)

    def _path(self, request: webob.Request, context: ctx.RequestContext) -> tuple[str, str]:
        """Return the path below version and project, and the part of the URL that names the project."""
        path = encoded_path.matchable(request.environ, request.path_info)
        path = (path if self.api.exact else path.rstrip('/')) or '/'
        if self.api.project_in_path and (match := _PROJECT.match(path)):
            project = match.group(1)
            if match.group(2).split('/')[1] in self._router.first_parts:
                if context.project_id and project != context.project_id:
                    raise Invalid(f"Malformed request URL: URL's project_id '{project}' doesn't match "
                                  f"Context's project_id '{context.project_id}'")
                return match.group(2), f'/{project}'
        return path, ''

    def _call(self, request: webob.Request, op: Op, version: Version, context: ctx.RequestContext,
              parts: dict[str, str]) -> Call:
        call = Call(self.api.app, op, version, context, self.api.policy)
        call.path, call.headers = encoded_path.plain(parts), request.headers
        call.address = request.environ.get('REMOTE_ADDR') or ''
        call.root_url = request.application_url.removesuffix(self.api.prefix)  # what a proxy puts before it stays
        call.url = request.path_url
        return call

    @staticmethod
    def _authorise(call: Call) -> None:
        """Target, then policy, and only then query and body: nobody learns from a 400 what a 403 or 404 hides."""
        if call.op.loads is not None:
            call.target = call.op.loads(call)
        if call.op.policy is not None:
            call.demand(call.op.policy)
        if call.op.in_project and not call.context.project_id:
            raise Forbidden('The token is for no project, and what is made here belongs to one: log in to a project')

    def _fill(self, call: Call, request: webob.Request, data: Any) -> None:
        """Read query and body. ``data`` is the body if it is parsed already."""
        op, version = call.op, call.version
        if op.query is not None:
            call.query = op.query.read(version, list(request.GET.items()))
        if op.raw:
            call.stream = request.body_file
        elif op.body is not None:
            if op.body.media and request.content_type not in op.body.media:
                raise BadMedia(f'Unsupported Content-Type {request.content_type}: send {" or ".join(op.body.media)}')
            if data is None and (request.content_length or request.is_body_readable):
                data = self._json(request)
            if data is not None or op.body.required:
                call.body, call.beside = op.body.read(version, data)

    def _action(self, place: Place, data: Any, version: Version) -> Op:
        if not isinstance(data, dict) or len(data) != 1:
            raise Invalid('There is no such action: the body must have exactly one key, the action\'s name')
        key = next(iter(data))
        if key not in place.actions:
            raise Invalid(f'There is no such action: {key}')
        return _windowed(place.actions[key], version)

    def _json(self, request: webob.Request) -> Any:
        kind = request.content_type or 'application/json'
        if kind != 'application/json' and not kind.endswith(('+json', '-json-patch')):
            raise BadMedia(f'Unsupported Content-Type {kind}: this API reads application/json')
        limit = self._limit(request)
        if (request.content_length or 0) > limit:
            raise TooLarge(f'The body has {request.content_length} bytes; the limit is {limit}')
        try:
            raw = request.body_file.read(limit + 1)
        except OSError as error:
            LOG.info('the body of %s %s broke off: %s', request.method, request.path, error)
            raise Invalid('The body of the request broke off', code='body_broken_off') from None
        if len(raw) > limit:
            raise TooLarge(f'The body has {len(raw)} bytes or more; the limit is {limit}')
        if b'\\u0000' in raw and _NUL.search(raw):  # no database takes it
            raise Invalid('The body has a NUL character (\\u0000) in it')
        try:
            data = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Invalid(f'Malformed request body: {error}', code='malformed_json') from None
        if raw.count(b'[') + raw.count(b'{') > _DEEPEST and _is_deep(data):
            raise Invalid(f'The body is nested deeper than {_DEEPEST} levels')
        request.environ[_BODY] = data
        return data

    def _limit(self, request: webob.Request) -> int:
        """Return how many bytes a body may have."""
        return int(request.environ.get(MAX_BODY, self.api.max_body))

    @staticmethod
    def _respond(request: webob.Request, call: Call, answer: Any) -> webob.Response:
        """Make a response of what a handler returned."""
        op, version = call.op, call.version
        status = op.status_at(version)
        if isinstance(answer, Stream):
            return _stream(answer)
        headers: dict[str, str] = {}
        kind = 'application/json'
        if isinstance(answer, Reply):
            status, headers, kind = answer.status or status, dict(answer.headers), answer.content_type
            answer = answer.body
        if op.view is not None and isinstance(answer, dict):
            answer = op.view.render(version, answer)
        if answer is None:
            return webob.Response(status=status, headerlist=[*headers.items(), ('Content-Length', '0')])
        body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
        return _json_response(request, status, body, headers, kind)

    def _fault(self, request: webob.Request, error: ComputeError) -> webob.Response:
        status = error.status
        context = request.environ.get('compute.context')
        shown = for_caller(error, context is not None and bool(context.is_admin))
        message = shortened(shown.message, _sent(request)) if status < 500 else shown.message
        body = self.api.shape(status, message, shown)
        if status == 413 and 'overLimit' in body:
            body['overLimit']['retryAfter'] = '0'
        headers = {'Content-Type': 'application/json'}
        if status == 405:
            headers['Allow'] = ', '.join(error.details['allow'])
        if status == 503 or 'retry_after' in error.details:
            headers['Retry-After'] = str(error.details.get('retry_after', 5))
        if status == 401:
            headers['WWW-Authenticate'] = error.details.get('www_authenticate', 'Keystone')
        if status >= 500:
            LOG.warning('%s %s: %s %s', request.method, request.path, status, error.message)
        return webob.Response(status=status, body=orjson.dumps(body), headerlist=list(headers.items()))


def _sent(request: webob.Request) -> list[Any]:
    """Return the part of the caller's value that a message may quote."""
    environ = request.environ
    return [*environ.get('PATH_INFO', '').split('/'), *(part for pair in parse_qsl(environ.get('QUERY_STRING', ''))
                                                        for part in pair), environ.get(_BODY)]


def _is_deep(data: Any) -> bool:
    """Tell whether lists and objects lie in one another deeper than can be written again."""
    level = [data]
    for _ in range(_DEEPEST + 1):
        level = [inner for item in level if isinstance(item, dict | list)
                 for inner in (item.values() if isinstance(item, dict) else item)]
    return bool(level)


def _demand_text(request: webob.Request) -> None:
    """Return if path and query are UTF-8 and the query has no NUL. :raises Invalid:"""
    try:
        request.path_info  # noqa: B018
        unquote(request.query_string, errors='strict')
    except UnicodeDecodeError:
        raise Invalid('The URL is not in UTF-8') from None
    if '%00' in request.query_string:
        raise Invalid('The query has a NUL character in it')


def _unknown(environ: dict[str, Any]) -> ctx.RequestContext:
    """Return the context of a request that nobody is known to have sent."""
    context = ctx.RequestContext(request_id=environ.get('openstack.request_id'))
    context.trace = environ.get('compute.trace')
    return context


def _demand_token(request: webob.Request, known: bool) -> None:
    if not known:
        raise request.environ.get('compute.auth_error') or Unauthorized(
            'The request you have made requires authentication.')


def _operation(place: Place, method: str, version: Version) -> Op:
    if method == 'HEAD' and 'HEAD' not in place.methods:
        method = 'GET'
    if method not in place.methods:
        allowed = _allowed(place)
        if not allowed:  # all that there was is removed
            raise NotFound('The resource could not be found.', code='no_such_url')
        raise BadMethod(f'{method} is not allowed here; allowed are {", ".join(allowed)}', details={'allow': allowed})
    return _windowed(place.methods[method], version)


def _allowed(place: Place) -> list[str]:
    methods = {method: ops for method, ops in place.methods.items() if not all(op.gone for op in ops)}
    acts = any(not op.gone for ops in place.actions.values() for op in ops)
    return sorted({*methods, *(['POST'] if acts else [])})


def _windowed(ops: list[Op], version: Version) -> Op:
    for op in ops:
        if version in op.window:
            return op
    raise NotFound(f'The resource could not be found at version {version}.', code='not_at_this_version')


def _unseen(request: webob.Request, error: Exception) -> ComputeError:
    request_id = request.environ.get('openstack.request_id', 'its request id')
    text = _UNSEEN.format(request_id=request_id)
    return ComputeError(text, for_users=text)


def _json_response(request: webob.Request, status: int, body: bytes, headers: dict[str, str],
                   kind: str) -> webob.Response:
    told = {'Content-Type': kind, 'Content-Length': str(len(body)), **headers}
    if status == 200 and request.method in ('GET', 'HEAD'):
        told['ETag'] = tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        if request.environ.get('HTTP_IF_NONE_MATCH') in (tag, '*'):
            return webob.Response(status=304, headerlist=[('ETag', tag)])
    return webob.Response(status=status, headerlist=list(told.items()), app_iter=[body])


def _stream(answer: Stream) -> webob.Response:
    response = webob.Response(status=answer.status, app_iter=answer.chunks)
    response.headers['Content-Type'] = answer.content_type
    response.headers.update(answer.headers)
    if answer.length is not None:
        response.content_length = answer.length
    return response
