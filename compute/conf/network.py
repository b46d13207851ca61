"""Options of compute-network, the built-in network daemon."""

from __future__ import annotations

from oslo_config import cfg

from compute.conf import public_endpoint, workers

GROUP = cfg.OptGroup('network', title='Built-in network', help='''
The daemon compute-network, which serves the Network API v2.0. Its agents on the hosts have a group of their own,
network_agent.
''')

_UNLIMITED = 'per project; -1 means no limit. An administrator can set another limit for a project through the API.'

OPTS: list[cfg.Opt] = [
    cfg.HostAddressOpt('listen_host', default='127.0.0.1', help='Address at which the Network API listens.'),
    cfg.PortOpt('listen_port', default=9696, help='Port at which the Network API listens.'),
    workers(),
    public_endpoint(9696),
    cfg.IntOpt('max_limit', default=1000, min=1, help='''
Most items that one page of a list has, and the size of a page where the client does not say. A client that follows the
links gets everything.
'''),
    cfg.StrOpt('base_mac', default='fa:16:3e:00:00:00', regex='^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$', help='''
Where MAC addresses of ports begin: the first three octets are kept (four if the fourth is not 00), the others are drawn
at random.
'''),
    cfg.IntOpt('default_mtu', default=1500, min=68, max=65535, help='MTU of networks that are made without one.'),
    cfg.StrOpt('dns_domain', default='novalocal', help='''
Domain that guests get over DHCP on networks without one of their own, and that ``dns_assignment`` of ports shows.
'''),
    cfg.StrOpt('availability_zone', default='nova', help='Name of the zone that networks and agents are shown in.'),
    cfg.FloatOpt('agent_down_time', default=45.0, min=0.5, help='''
Seconds without a heartbeat after which an agent counts as dead: ports are no longer bound to its host. It should be at
least three times ``[network_agent] heartbeat_interval``.
'''),
    cfg.IntOpt('wire_limit', default=10, min=1, help='''
Number of ports of one host up to which a change is told port by port; beyond it the agent is asked to fetch the whole
state of its host once.
'''),
    cfg.FloatOpt('refresh_interval', default=2.0, min=0.0, help='''
Seconds after which agents are asked to fetch their whole state because members of security groups came or went. Changes
within that time are told together.
'''),
    cfg.FloatOpt('event_interval', default=5.0, min=0.1, help='''
Seconds between two looks at the events for Compute that could not be delivered. New ones are sent at once.
'''),
    cfg.FloatOpt('event_max_delay', default=60.0, min=0.1, help='''
Longest time in seconds between two attempts to deliver the same event; the time doubles with each failure up to it.
'''),
    cfg.FloatOpt('event_give_up', default=3600.0, min=1.0, help='''
Age in seconds at which an event that Compute still did not take is dropped, with a line in the log.
'''),
    cfg.BoolOpt('auto_allocate', default=True, help='''
Whether a project that has no network gets one with a subnet when a server asks for ``networks: auto``. Without it such
a request is refused with 409.
'''),
    cfg.StrOpt('auto_allocate_cidr', default='10.254.0.0/24', help='Addresses of networks that are made that way.'),
    cfg.ListOpt('auto_allocate_dns', default=[], help='''
Name servers that guests of such networks get. Empty leaves it to the agent, which passes questions on.
'''),
    cfg.IntOpt('quota_network', default=100, min=-1, help=f'Networks {_UNLIMITED}'),
    cfg.IntOpt('quota_subnet', default=100, min=-1, help=f'Subnets {_UNLIMITED}'),
    cfg.IntOpt('quota_port', default=500, min=-1, help=f'Ports {_UNLIMITED}'),
    cfg.IntOpt('quota_security_group', default=10, min=-1, help=f'Security groups {_UNLIMITED}'),
    cfg.IntOpt('quota_security_group_rule', default=100, min=-1, help=f'Security-group rules {_UNLIMITED}'),
]
