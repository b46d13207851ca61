"""RabbitMQ: it accepts the login, and is new enough."""

from __future__ import annotations

from collections.abc import Iterator

import kombu
import oslo_messaging
from kombu.exceptions import OperationalError
from oslo_config import cfg

from compute import exception
from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine
from compute.cmd.doctor.machine import Machine

OLDEST = (3, 8)


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Log in at each host of the transport's address."""
    address = oslo_messaging.TransportURL.parse(conf)
    if not address.transport.startswith('rabbit'):
        yield fine('the message bus is inside one process')
        return
    for host in address.hosts or ():
        where = f'{host.hostname}:{host.port or 5672}'
        try:
            version = server_version(host, address.virtual_host or '/')
        except exception.Unauthorized:
            yield failure(f'RabbitMQ at {where} refuses the login of [DEFAULT] transport_url',
                          'rabbitmqctl add_user, set_permissions; or correct user, password and virtual host')
        except exception.Unavailable:
            yield failure(f'no RabbitMQ responds at {where}',
                          'systemctl start rabbitmq-server; see transport_url')
        else:
            yield _judged(where, version)


def _judged(where: str, version: str) -> Diagnosis:
    parts = version.split('.')
    number = tuple(int(part) for part in parts[:2] if part.isdigit())
    if len(number) == 2 and number < OLDEST:
        return failure(f'RabbitMQ at {where} is {version}, older than {OLDEST[0]}.{OLDEST[1]}', 'install a newer one')
    return fine(f'RabbitMQ {version} at {where} accepts the login')


def server_version(host: oslo_messaging.TransportHost, virtual_host: str) -> str:
    """Return the version of a RabbitMQ. :raises Unauthorized: the login. :raises Unavailable: it does not answer."""
    connection = kombu.Connection(hostname=host.hostname, port=host.port or 5672, userid=host.username or 'guest',
                                  password=host.password or 'guest', virtual_host=virtual_host, connect_timeout=5,
                                  login_method='PLAIN')
    try:
        connection.connect()
        return str(connection.connection.server_properties.get('version', ''))
    except (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors) as error:
        if getattr(error, 'reply_code', None) in (403, 530) or 'ACCESS_REFUSED' in str(error):
            raise exception.Unauthorized('the login is refused') from None
        raise exception.Unavailable('it does not answer') from None
    finally:
        connection.release()
