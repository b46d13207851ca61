"""The privileged process of the network agent: runs oslo.privsep's daemon on the socket that is its standard input.

Started by ``privileged.Context``; never by hand. What it logs goes to the agent, which logs it.
"""

from __future__ import annotations

from compute import concurrency

concurrency.patch(concurrency.THREADING)

import logging  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402

from oslo_config import cfg  # noqa: E402
from oslo_privsep import comm, daemon  # noqa: E402

from compute.builtin.network.agent.linux import privileged  # noqa: E402


def main() -> None:
    """Serve until the other end is closed."""
    cfg.CONF([], project='compute', default_config_files=[], default_config_dirs=[])
    connection = socket.socket(fileno=os.dup(0))
    connection.setblocking(True)  # one that a green agent made does not block
    channel = comm.ServerChannel(connection)
    daemon.replace_logging(daemon.PrivsepLogHandler(channel, processName='privileged'))
    logging.getLogger().setLevel(logging.INFO)
    daemon.Daemon(channel, privileged.context).run()


if __name__ == '__main__':
    main()
