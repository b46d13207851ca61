"""``Idempotency-Key``: a POST that comes again is answered as it was the first time, and nothing is done again.

The request is noted by the first transaction that the handler commits (``Database.led_by``): the note is there if and
only if the effect is. Of several equal requests at once one commits; the note of the others breaks on the primary key,
before they change anything. The answer is added afterwards. A process that dies in between leaves a note without an
answer: then the operation's ``again`` rebuilds it, or the caller is told where to look.

Nothing is stored in clear, because answers hold passwords and private keys. From the key, the user and the project come
three secrets (HKDF): the name of the row, the key of the request's fingerprint, the key of its answer. Who knows the
store and not the client's key learns that something was asked, and when.
"""

from __future__ import annotations

import datetime
import hmac
import io
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
import webob
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from compute.context import RequestContext
from compute.db import idempotency as db
from compute.db.session import Database
from compute.exception import ComputeError, Conflict, Invalid
from compute.objects.value import now
from compute.rest.versions import Version

LOG = logging.getLogger(__name__)
HEADER, REPLAYED = 'Idempotency-Key', 'Idempotency-Replay-Of'
_KEY = re.compile(r'[\x20-\x7e]{1,128}')
_NONCE = 12
_PATIENCE = 2.0
"""Seconds for which a request waits for the answer to the equal one before it."""
_RUNS_FOR = datetime.timedelta(seconds=30)
"""After that whoever had to add an answer is taken for dead."""
_LARGEST = 1 << 16
"""Bytes of an answer that is kept although nothing was written."""
_BATCH = 500
Respond = Callable[[], webob.Response]


@dataclass(frozen=True)
class Claim:
    """One request with a key: the id of its row, what tells it from others, and what its answer is encrypted with."""

    id: str
    fingerprint: str
    secret: bytes
    request_id: str


@dataclass(frozen=True)
class Work:
    """What the kernel does with a request: the handler, how an error looks, and how a lost answer is rebuilt."""

    respond: Respond
    fault: Callable[[ComputeError], webob.Response]
    again: Callable[[str], webob.Response] | None = None


def claim(request: webob.Request, context: RequestContext, version: Version, limit: int, data: Any = None) -> Claim:
    """Return what a request with a key claims. The body is ``data``, or is read, up to ``limit`` bytes, and put back.

    :raises Invalid: the key has a form that is not taken.
    """
    key = request.headers[HEADER]
    if not _KEY.fullmatch(key):
        raise Invalid(f'{HEADER} has {len(key)} characters; it takes 1 to 128, all of them printable ASCII',
                      code='idempotency_key_malformed')
    whose = (context.user_id, context.project_id, context.domain_id, context.system_scope)
    secrets = HKDF(SHA256(), 96, None, orjson.dumps(whose)).derive(key.encode())
    what = (request.method, request.script_name + request.path_info, request.query_string, str(version))
    mac = hmac.new(secrets[32:64], orjson.dumps(what) + _body(request, limit, data), 'sha256')
    return Claim(secrets[:32].hex(), mac.hexdigest(), secrets[64:], context.request_id)


def _body(request: webob.Request, limit: int, data: Any) -> bytes:
    """Return the body, JSON with its keys in order: a client may write them in another the next time."""
    body = b''
    try:
        if data is None:
            body = request.body_file.read(limit + 1)
            request.environ['wsgi.input'] = io.BytesIO(body)
            data = orjson.loads(body)
        return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body


class Answers:
    """The requests of one store that came with a key, and their answers."""

    def __init__(self, database: Database, table: sa.Table) -> None:
        self._database, self._table = database, table

    def once(self, claim: Claim, work: Work) -> webob.Response:
        """Do what is asked unless it is done, and return the answer of the time that it was.

        A refusal leaves no note, so that the key may be used again; nor does the failure of a request that has changed
        nothing. :raises Conflict: see ``_replay``.
        """
        if (asked := self._find(claim.id)) is not None:
            return self._replay(claim, asked, work)
        with self._database.led_by(lambda connection: self._note(connection, claim)) as lead:
            try:
                response = work.respond()
            except db.Taken:
                return self._replay_found(claim, work)
            except ComputeError as error:
                if not lead.done:
                    asked = self._find(claim.id)
                    if asked is None or asked.request_id == claim.request_id:  # its own: the commit's answer was lost
                        raise
                    return self._replay(claim, asked, work)  # it is refused for what its twin has just done
                response = work.fault(error)
        return self._keep(claim, response, work, noted=lead.done)

    def forget(self, seconds: float) -> int:
        """Remove what is older, in small transactions; return how many went. Several daemons may do so at once."""
        before, total = now() - datetime.timedelta(seconds=seconds), 0
        while True:
            count = self._database.transaction(lambda connection: db.purge(connection, self._table, before, _BATCH))
            total += count
            if count < _BATCH:
                return total

    def _note(self, connection: Connection, claim: Claim, answer: bytes | None = None) -> None:
        db.insert(connection, self._table, db.Asked(id=claim.id, fingerprint=claim.fingerprint, answer=answer,
                                                    request_id=claim.request_id, created_at=now()))

    def _find(self, key: str) -> db.Asked | None:
        return self._database.read(lambda connection: db.find(connection, self._table, key))

    def _keep(self, claim: Claim, response: webob.Response, work: Work, *, noted: bool) -> webob.Response:
        """Store the answer and return it. A 5xx is not kept: it says nothing of the effect."""
        if response.status_int >= 500 or (not noted and (response.status_int >= 400 or _is_large(response))):
            return response
        content = _encrypted(claim, response)
        try:
            if noted:
                self._database.transaction(lambda connection: db.answer(connection, self._table, claim.id, content))
            else:
                self._database.transaction(lambda connection: self._note(connection, claim, content))
        except db.Taken:
            return self._replay_found(claim, work)
        except (ComputeError, SQLAlchemyError) as error:
            LOG.warning('the answer to %s could not be kept: %s', claim.request_id, error)
        return response

    def _replay_found(self, claim: Claim, work: Work) -> webob.Response:
        asked = self._find(claim.id)
        if asked is None:
            raise Conflict(f'A request with this {HEADER} is being forgotten; send it again',
                           code='idempotency_key_in_use', details={'retry_after': 1})
        return self._replay(claim, asked, work)

    def _replay(self, claim: Claim, asked: db.Asked, work: Work) -> webob.Response:
        """Return the answer of an earlier request. :raises Conflict: it was another request, runs, or has no answer."""
        if asked.fingerprint != claim.fingerprint:
            raise Conflict(f'This {HEADER} was used for another request ({asked.request_id}): a new request needs a '
                           'new key', code='idempotency_key_reused')
        asked = self._answered(asked)
        response = None if asked.answer is None else _decrypted(claim, asked.answer)
        if response is None and work.again is not None:
            response = work.again(asked.request_id)
        if response is None:
            raise _without_answer(asked)
        response.headers[REPLAYED] = asked.request_id
        return response

    def _answered(self, asked: db.Asked) -> db.Asked:
        """Wait a little for the answer: whoever commits adds it a moment later."""
        end, pause = time.monotonic() + _PATIENCE, 0.01
        while asked.answer is None and time.monotonic() < end and now() - asked.created_at < _RUNS_FOR:
            time.sleep(pause)
            pause = min(pause * 2, 0.2)
            asked = self._find(asked.id) or asked
        return asked


def _without_answer(asked: db.Asked) -> Conflict:
    if asked.answer is None and now() - asked.created_at < _RUNS_FOR:
        return Conflict(f'The first request with this {HEADER} ({asked.request_id}) has not been answered yet',
                        code='idempotency_key_in_use', details={'retry_after': 1})
    return Conflict(f'What was asked with this {HEADER} was done at {asked.created_at:%Y-%m-%dT%H:%M:%SZ} by '
                    f'{asked.request_id}, and the answer was lost', code='idempotency_answer_lost',
                    hint='look for what the request made before you send it again with a new key')


def _is_large(response: webob.Response) -> bool:
    return response.content_length is None or response.content_length > _LARGEST


def _encrypted(claim: Claim, response: webob.Response) -> bytes:
    headers = [pair for pair in response.headerlist if pair[0].lower() != 'content-length']
    plain = orjson.dumps([response.status_int, headers]) + b'\n' + response.body
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(claim.secret).encrypt(nonce, plain, claim.fingerprint.encode())


def _decrypted(claim: Claim, content: bytes) -> webob.Response | None:
    """Return the answer; None if it is damaged."""
    try:
        plain = AESGCM(claim.secret).decrypt(content[:_NONCE], content[_NONCE:], claim.fingerprint.encode())
    except InvalidTag:
        LOG.error('a stored answer is damaged')
        return None
    head, _, body = plain.partition(b'\n')
    status, headers = orjson.loads(head)
    return webob.Response(status=status, headerlist=[(name, value) for name, value in headers], body=body)
