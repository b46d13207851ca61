"""Options of the network agent: the part of the built-in network that runs on every hypervisor host."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('network_agent', title='Network agent', help='''
The agent of the built-in network on a hypervisor host: it makes the bridges, taps, DHCP, NAT and packet filters of the
networks that have ports there. It has no database; everything it needs comes from compute-network over RPC.
''')

OPTS: list[cfg.Opt] = [
    cfg.StrOpt('driver', default='linux', choices=[
        ('linux', 'bridges, namespaces, dnsmasq and nftables of this machine; needs root or capabilities'),
        ('fake', 'nothing is made; every port is up at once')],
        help='What wires ports. Use fake together with the fake hypervisor.'),
    cfg.ListOpt('hosts', default=[], help='''
Host names that one process acts for, each with an agent of its own; for load tests with the fake driver. Empty means
only this machine, under the name that the worker uses too.
'''),
    cfg.StrOpt('state_dir', default='/var/lib/compute/network_agent', help='''
Directory with the DHCP files and the record of what was made on this host. It should be readable for everybody, so that
dnsmasq need not run as root.
'''),
    cfg.URIOpt('metadata_url', default='http://127.0.0.1:8775', schemes=['http', 'https'], help='''
The compute-metadata daemon, to which requests of guests to 169.254.169.254 are passed on.
'''),
    cfg.StrOpt('metadata_shared_secret', default='', secret=True, help='''
Signs the id of the instance that asks for metadata. It must be the one that compute-metadata has.
'''),
    cfg.IntOpt('metadata_workers', default=32, min=1, help='''
How many complete requests for metadata are passed on at once; further ones wait. The limits of ``[http]``
(header_timeout, body_timeout, least_rate) apply to guests; a guest may have four connections in a network.
'''),
    cfg.IntOpt('metadata_timeout', default=30, min=1, help='''
Seconds without a byte from compute-metadata after which a request for metadata is given up.
'''),
    cfg.StrOpt('link_range', default='100.64.0.0/16', help='''
IPv4 range for the links between each network's namespace and the host: two addresses for each network. It has to be
free on this host; guests do not see it.
'''),
    cfg.BoolOpt('nat', default=True, help='''
Whether guests reach the world under this host's address. Without it their packets leave with their own addresses, which
the networks around must then know how to reach.
'''),
    cfg.StrOpt('external_interface', default='', help='''
Interface through which guests may leave this host; empty allows all.
'''),
    cfg.BoolOpt('host_routes', default=True, help='''
Whether this host gets a route to each network, so that guests can be reached from it (for example with ssh). Of two
networks with overlapping addresses the first one gets it; a route that the host already has is never replaced.
'''),
    cfg.StrOpt('dnsmasq', default='dnsmasq', help='The dnsmasq program, by name or by path.'),
    cfg.StrOpt('dnsmasq_user', default='nobody', help='''
User that dnsmasq runs as. Where this user cannot read the state directory it runs as root, and the log says so.
'''),
    cfg.ListOpt('dns_servers', default=[], help='''
Name servers that questions of guests are passed on to. Empty means those of this host's resolv.conf.
'''),
    cfg.StrOpt('tap_owner', default='', help='''
User (name or number) that may open taps besides root. Needed only where QEMU opens them itself instead of libvirtd.
'''),
    cfg.StrOpt('tap_group', default='', help='Group (name or number) that may open taps besides root.'),
    cfg.FloatOpt('heartbeat_interval', default=10.0, min=0.1, help='''
Seconds between two reports to compute-network that this agent lives.
'''),
    cfg.FloatOpt('heal_interval', default=30.0, min=0.1, help='''
Seconds between two checks that everything is still as it was made; what is not is repaired.
'''),
    cfg.FloatOpt('resync_interval', default=120.0, min=0.1, help='''
Seconds between two requests for the whole state, which find what a lost message should have told.
'''),
]
