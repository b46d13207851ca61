"""The process that does the plumbing: reads requests on its standard input, a socket, and answers each with a line.

It exists because pyroute2 and subprocesses need threads and loops of the real kind, while the agent may be green.
It ends when the agent does; what it made stays. Started by ``remote``; never by hand.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
from typing import Any

from compute import exception
from compute.builtin.network.agent.linux.plumber import Plumber, settings_from
from compute.objects.value import decode, encode
from compute.objects.wiring import NetworkWiring

LOG = logging.getLogger(__name__)


def answer(plumber: Plumber, request: dict[str, Any]) -> Any:
    """Do what a request asks and return the result as JSON types."""
    method, argument = request['method'], request.get('argument')
    if method == 'apply':
        return encode(plumber.apply(decode(dict[str, NetworkWiring | None], argument)))
    if method == 'sync':
        return encode(plumber.sync(decode(list[NetworkWiring], argument)))
    if method == 'cleanup':
        return list(plumber.cleanup())
    raise exception.Invalid(f'no such request: {method}')


def serve(connection: socket.socket) -> None:
    """Answer requests until the other end is closed. The first line has the settings."""
    requests = connection.makefile('rb')
    plumber = Plumber(settings_from(json.loads(requests.readline())))
    for line in requests:
        try:
            result = {'result': answer(plumber, json.loads(line))}
        except exception.ComputeError as error:
            result = {'error': error.message}
        except Exception as error:
            LOG.exception('plumbing failed')
            result = {'error': f'{type(error).__name__}: {error}'}
        connection.sendall(json.dumps(result).encode() + b'\n')


def main() -> None:
    """Serve on the socket that is standard input."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO,
                        format='%(asctime)s network helper %(levelname)s %(message)s')
    with socket.socket(fileno=0) as connection:
        serve(connection)


if __name__ == '__main__':
    main()
