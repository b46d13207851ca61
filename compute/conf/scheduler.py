"""The scheduler: which filters and weights it uses and how it keeps up with the hosts."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('scheduler', title='Scheduler', help='How a host is chosen for a server.')

_WEIGHT = ('Values are first scaled to 0...1 over the hosts that passed, then multiplied and summed; the host with the '
           'highest sum wins. 0 switches this weight off.')

OPTS = [
    cfg.ListOpt('enabled_filters', default=[
        'ComputeFilter', 'RetryFilter', 'RequestedHostFilter', 'SameHostFilter', 'DifferentHostFilter',
        'AvailabilityZoneFilter', 'RamFilter', 'CoreFilter',
        'DiskFilter', 'ImagePropertiesFilter', 'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter'],
        help='''
Filters that a host has to pass, in this order: put first what is cheap and drops many. Each is the name of a built-in
filter or of one installed under the entry point group ``compute.scheduler.filters``. Capacity and anti-affinity are
checked again in the transaction that claims the host, whatever is listed here.
'''),
    cfg.IntOpt('max_attempts', default=3, min=1, help='''
Hosts named in one answer: the one that was claimed and so many less one as alternates, which the conductor tries
without asking again when the build fails on the first.
'''),
    cfg.IntOpt('host_subset_size', default=1, min=1, help='''
The host is picked at random among so many of the best. Raise it where many scheduler processes run: they then get in
each other's way less often, for a slightly worse choice.
'''),
    cfg.BoolOpt('shuffle_best_same_weighed_hosts', default=False, help='''
Whether hosts of the same weight are taken in random order instead of in the order in which they registered.
'''),
    cfg.IntOpt('max_reasons', default=50, min=0, help='''
Hosts whose reason for being dropped is kept one by one with the decision. The counts for each filter always cover all.
'''),
    cfg.IntOpt('max_io_ops_per_host', default=8, min=1, help='''
IoOpsFilter (not enabled by default) drops hosts on which so many operations that load the disk (builds, snapshots,
migrations) go on at the same time.
'''),
    cfg.FloatOpt('ram_weight_multiplier', default=1.0, help=f'''
How much free memory counts. Positive spreads servers over hosts, negative fills one host after the other. {_WEIGHT}
'''),
    cfg.FloatOpt('cpu_weight_multiplier', default=1.0, help=f'How much free virtual CPUs count. {_WEIGHT}'),
    cfg.FloatOpt('disk_weight_multiplier', default=1.0, help=f'How much free disk counts. {_WEIGHT}'),
    cfg.FloatOpt('io_ops_weight_multiplier', default=-1.0, help=f'''
How much the number of builds, snapshots and migrations under way counts. Negative prefers quiet hosts. {_WEIGHT}
'''),
    cfg.FloatOpt('build_failure_weight_multiplier', default=1000000.0, min=0.0, help=f'''
How much a host is disliked for builds that failed there since the last that succeeded. {_WEIGHT}
'''),
    cfg.FloatOpt('health_weight_multiplier', default=1000.0, min=0.0, help=f'''
How much a host is disliked that says of itself that it is degraded, or down with its hypervisor. {_WEIGHT}
'''),
    cfg.FloatOpt('soft_affinity_weight_multiplier', default=250.0, min=0.0, help=f'''
How much the members that a server group of policy soft-affinity has on a host count for it. The default outweighs free
memory, CPU, disk and IO together, and is below ``health_weight_multiplier``. {_WEIGHT}
'''),
    cfg.FloatOpt('soft_anti_affinity_weight_multiplier', default=250.0, min=0.0, help=f'''
How much the members that a server group of policy soft-anti-affinity has on a host count against it. The default
outweighs free memory, CPU, disk and IO together, and is below ``health_weight_multiplier``. {_WEIGHT}
'''),
    cfg.FloatOpt('refresh_interval', default=0.2, min=0.0, help='''
Seconds for which hosts in memory are used without asking the database what changed. Claims of this process show at
once, a claim is checked in the database anyway, and nobody is told "no valid host" before another look.
'''),
    cfg.FloatOpt('reload_interval', default=60.0, min=1.0, help='''
Seconds after which all hosts are read anew, whether they changed or not.
'''),
    cfg.FloatOpt('heartbeat_interval', default=10.0, min=0.5, help='''
Seconds between two heartbeats of a scheduler. Keep it well below ``[conductor] service_down_time``.
'''),
]
