"""compute-manage trace: a request from its arrival to its end, out of the ledger and the logs of the daemons here.

Every daemon writes the request's id with each line, and passes it on with each message and each call of a neighbour. So
the lines of all of them, put in order with what the ledger says, are the whole story as far as this machine knows it;
on another one ``--no-ledger`` gives the part of its daemons. The id of a trace (``traceparent``) does as well: it is in
each line, or it is the id of the request that the trace began with.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy.engine import Connection

from compute import traceparent
from compute.cmd.stores import named
from compute.db import operations

_LINE = re.compile(r'(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?P<pid>\d+) (?P<level>[A-Z]+) '
                   r'(?P<name>\S+) (?P<text>.*)')
_IDS = re.compile(r'\[(?:req-[0-9a-f-]{36}|None|-) (req-[0-9a-f-]{36}) ')
_REQUEST = re.compile(r'req-[0-9a-f-]{36}')
_SUFFIXES = ('.log', '.gz', '.1')
_LONGEST_TRACEBACK = 200


class Moment(NamedTuple):
    """Something that happened: when (UTC), who tells it, what it was."""

    at: datetime.datetime
    where: str
    what: str


def run(conf: Any, arguments: argparse.Namespace) -> int:
    """Print what is known of a request; 0 when anything is, 1 when nothing is, 2 for what is no id."""
    trace_id = traceparent.is_trace_id(arguments.request_id)
    if not trace_id and not _REQUEST.fullmatch(arguments.request_id):
        print(f'compute-manage: {arguments.request_id!r} is no request id (req- and a uuid) and no trace id (32 hex '
              'digits)', file=sys.stderr)
        return 2
    request_id = traceparent.request_id_of(arguments.request_id) if trace_id else arguments.request_id
    ids = (request_id, arguments.request_id) if trace_id else (request_id,)
    files = list(log_files(arguments.log or _configured(conf)))
    moments = [*logged(files, *ids)]
    if arguments.journal:
        moments += journal(*ids)
    if arguments.ledger:
        moments += ledger(conf, {request_id, *_own_ids(moments)})
    moments.sort()
    if arguments.json:
        print(json.dumps([{**each._asdict(), 'at': each.at.isoformat()} for each in moments], indent=2))
    elif moments:
        print(_as_text(moments))
    else:
        print(f'nothing is known of {arguments.request_id}: looked at {len(files)} log files'
              f'{", the journal" if arguments.journal else ""}{", the ledger" if arguments.ledger else ""}')
    return 0 if moments else 1


def _configured(conf: Any) -> list[str]:
    """Return where this configuration lets daemons write their logs."""
    if conf.log_dir:
        return [conf.log_dir]
    return [str(Path(conf.log_file).parent)] if conf.log_file else ['/var/log/compute']


def log_files(paths: Iterable[str]) -> Iterator[Path]:
    """Yield log files, those of folders included, rotated ones too."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(file for file in path.rglob('*') if file.suffix in _SUFFIXES and file.is_file())
        elif path.is_file():
            yield path


def logged(files: Iterable[Path], *ids: str) -> Iterator[Moment]:
    """Yield the lines with one of the ids, each with the traceback that follows it."""
    for file in files:
        with gzip.open(file, 'rt', errors='replace') if file.suffix == '.gz' else open(file, errors='replace') as lines:
            yield from _of_request(lines, ids, file.name.removesuffix('.log'))


def _of_request(lines: Iterable[str], ids: tuple[str, ...], where: str) -> Iterator[Moment]:
    follows, left = None, 0
    for line in lines:
        if any(each in line for each in ids):
            moment, follows, left = _moment(line, where), _writer(line), _LONGEST_TRACEBACK
            if moment is not None:
                yield moment
        elif follows is not None and left and _writer(line) == follows and '[req-' not in line:
            left -= 1
            moment = _moment(line, where)
            if moment is not None:
                yield moment
        else:
            follows = None


def _writer(line: str) -> tuple[str, str] | None:
    """Return process and logger of a line that may have a traceback, or be part of one."""
    found = _LINE.match(line)
    return (found['pid'], found['name']) if found and found['level'] in ('ERROR', 'CRITICAL') else None


def _moment(line: str, where: str) -> Moment | None:
    if line.startswith('{'):
        return _from_json(line, where)
    found = _LINE.match(line)
    if found is None:
        return None
    at = datetime.datetime.strptime(found['at'], '%Y-%m-%d %H:%M:%S.%f').astimezone(datetime.UTC)
    return Moment(at, where, f'{found["level"]} {found["name"]} {found["text"]}')


def _from_json(line: str, where: str) -> Moment | None:
    """Read a line of ``use_json``."""
    try:
        told = orjson.loads(line)
        at = datetime.datetime.fromtimestamp(float(told['created']), datetime.UTC)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    context = told.get('context') or {}
    ids = f'[{context.get("global_request_id")} {context.get("request_id")} ]'
    return Moment(at, where, f'{told.get("levelname")} {told.get("name")} {ids} {told.get("message")}')


def journal(request_id: str, trace_id: str = '') -> Iterator[Moment]:
    """Yield what systemd's journal has of a request or a trace; nothing where there is none."""
    program = shutil.which('journalctl')
    if program is None:
        return
    done = subprocess.run([program, '--output=json', '--no-pager', '--quiet', f'REQUEST_ID={request_id}', '+',
                           f'GLOBAL_REQUEST_ID={request_id}', *(('+', f'TRACE_ID={trace_id}') if trace_id else ())],
                          capture_output=True, timeout=120, check=False)
    for line in done.stdout.splitlines():
        told = orjson.loads(line)
        at = datetime.datetime.fromtimestamp(int(told['__REALTIME_TIMESTAMP']) / 1e6, datetime.UTC)
        ids = f'[{told.get("GLOBAL_REQUEST_ID", "-")} {told.get("REQUEST_ID", "-")} ]'
        yield Moment(at, str(told.get('_SYSTEMD_UNIT', 'journal')), f'{ids} {told.get("MESSAGE", "")}')


def _own_ids(moments: Iterable[Moment]) -> set[str]:
    """Return the ids that daemons gave to the request themselves: the one asked for may be its caller's."""
    return {found[1] for moment in moments if (found := _IDS.search(moment.what))}


def ledger(conf: Any, request_ids: set[str]) -> list[Moment]:
    """Return what the ledger says of the operations that a request opened."""
    store, = named('compute')
    database = store.open(conf)
    try:
        return database.read(lambda connection: [
            moment for request_id in request_ids for moment in _operations(connection, request_id)])
    finally:
        database.dispose()


def _operations(connection: Connection, request_id: str) -> Iterator[Moment]:
    for operation in operations.of_request(connection, request_id):
        about = f'operation {operation.id} ({operation.kind} of {operation.instance_uuid})'
        yield Moment(_utc(operation.created_at), 'ledger', f'{about} opened')
        for event in operations.events_of(connection, operation.id):
            yield Moment(_utc(event.started_at), 'ledger', f'{about} {event.name} begins on {event.host}, attempt '
                                                           f'{event.attempt + 1}')
            if event.finished_at is not None:
                told = f': {event.details}' if event.details else ''
                yield Moment(_utc(event.finished_at), 'ledger', f'{about} {event.name} ends: {event.result}{told}')
        if operation.finished_at is not None:
            told = f': {operation.error.code}: {operation.error.message}' if operation.error else ''
            yield Moment(_utc(operation.finished_at), 'ledger', f'{about} {operation.state}{told}')


def _utc(at: datetime.datetime | None) -> datetime.datetime:
    assert at is not None
    return at.replace(tzinfo=datetime.UTC)


def _as_text(moments: list[Moment]) -> str:
    begin = moments[0].at
    width = max(len(moment.where) for moment in moments)
    lines = [f'{begin.isoformat(timespec="milliseconds")}']
    lines += [f'{(moment.at - begin).total_seconds():+10.3f}  {moment.where:{width}}  {moment.what}'
              for moment in moments]
    return '\n'.join(lines)
