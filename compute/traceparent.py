"""W3C Trace Context: which trace a request belongs to, as ``traceparent`` and ``tracestate`` say it.

Level 1 of the Recommendation (https://www.w3.org/TR/trace-context-1/). What does not fit is as if it had not come: no
request is refused for it. A trace that begins here takes the uuid of its request id for its own id, so that either is
found by the other.
"""

from __future__ import annotations

import re
import secrets
import uuid
from typing import NamedTuple

SAMPLED = 0x01
_KNOWN_FLAGS = 0x03  # sampled, and level 2's word that the id is random: it goes with the id
_PARENT = re.compile(r'([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?', re.DOTALL)
_KEY = r'(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})'
_MEMBER = re.compile(rf'({_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]')
_MOST_MEMBERS = 32
_LONG_MEMBER, _LONGEST_STATE = 128, 512
_REQUEST_ID = re.compile(r'req-([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})')
_TRACE_ID = re.compile(r'[0-9a-f]{32}')


class Trace(NamedTuple):
    """A place in a trace: ``span_id`` is the parent of what is done next. Both ids are lower case hex, never 0."""

    trace_id: str
    span_id: str
    flags: int = 0
    state: str = ''

    @property
    def header(self) -> str:
        """Return ``traceparent``, in version 00 whatever came."""
        return f'00-{self.trace_id}-{self.span_id}-{self.flags:02x}'

    @property
    def headers(self) -> dict[str, str]:
        """Return what a request of ours carries."""
        return {'traceparent': self.header, 'tracestate': self.state} if self.state else {'traceparent': self.header}


def read(parent: str | None, state: str | None = None) -> Trace | None:
    """Return what the two headers say, None where ``traceparent`` says nothing valid. Newer versions are read as 00."""
    found = _PARENT.fullmatch(parent) if parent else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == 'ff' or (version == '00' and more is not None) or not trace_id.strip('0') or not span_id.strip('0'):
        return None
    known = _KNOWN_FLAGS if version == '00' else SAMPLED
    return Trace(trace_id, span_id, int(flags, 16) & known, _state(state) if state else '')


def begin(request_id: str | None) -> Trace:
    """Return a new trace, not sampled, whose id is that of the request."""
    return Trace(trace_id_of(request_id) or uuid.uuid4().hex, secrets.token_hex(8))


def trace_id_of(request_id: str | None) -> str | None:
    """Return the id of the trace that begins with a request; None for what is no ``req-<uuid>``."""
    found = _REQUEST_ID.fullmatch(request_id) if request_id else None
    trace_id = ''.join(found.groups()) if found else ''
    return trace_id if trace_id.strip('0') else None


def is_trace_id(text: str) -> bool:
    """Tell whether a text has the form of a trace's id."""
    return _TRACE_ID.fullmatch(text) is not None and text.strip('0') != ''


def request_id_of(trace_id: str) -> str:
    """Return the id of the request that a trace began with, if it began here."""
    return f'req-{uuid.UUID(trace_id)}'


def _state(text: str) -> str:
    """Return ``tracestate`` as it is passed on: as it came, what is too long taken out; nothing if it is not valid."""
    members = [member for part in text.split(',') if (member := part.strip(' \t'))]
    matches = [_MEMBER.fullmatch(member) for member in members]
    keys = {match[1] for match in matches if match is not None}
    if len(keys) != len(members) or len(members) > _MOST_MEMBERS:
        return ''
    if len(','.join(members)) > _LONGEST_STATE:
        members = [member for member in members if len(member) <= _LONG_MEMBER]
    while len(state := ','.join(members)) > _LONGEST_STATE:
        members.pop()
    return state
