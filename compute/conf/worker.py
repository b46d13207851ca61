"""The worker: what a host offers, how it reports, its periodic tasks."""

from __future__ import annotations

from oslo_config import cfg, types

GROUP = cfg.OptGroup('worker', title='Worker')


class PortRange(types.Range):
    """A port, or FIRST-LAST; its value is a ``range``."""

    def __init__(self) -> None:
        super().__init__(0, 65535, type_name='port range')

    def __repr__(self) -> str:
        return 'port range'


OPTS = [
    cfg.StrOpt('state_path', default='/var/lib/compute/worker',
               help='Folder in which the worker keeps its node identity, and a lock for as long as it runs. It has to '
                    'be on this machine: by the lock a worker finds another process that acts as the same host.'),
    cfg.ListOpt('hosts', default=[],
                help='Names of the hosts this process acts as, for the fake driver under load. Empty: the one host '
                     'named by the option host.'),
    cfg.StrOpt('availability_zone', default='nova', help='Zone that this host is in.'),
    cfg.FloatOpt('cpu_allocation_ratio', default=4.0, min=0.1,
                 help='Virtual CPUs that may be claimed for each CPU of the host.'),
    cfg.FloatOpt('ram_allocation_ratio', default=1.0, min=0.1, help='The same for memory.'),
    cfg.FloatOpt('disk_allocation_ratio', default=1.0, min=0.1, help='The same for local disk.'),
    cfg.IntOpt('reserved_vcpus', default=0, min=0, help='CPUs of the host that are not offered.'),
    cfg.IntOpt('reserved_memory_mb', default=512, min=0, help='Memory in MiB that is kept for the host itself.'),
    cfg.IntOpt('reserved_disk_gb', default=0, min=0, help='Disk in GiB that is kept for the host itself.'),
    cfg.FloatOpt('heartbeat_interval', default=5.0, min=0.2,
                 help='Seconds between two heartbeats. Each renews the leases of the operations that run here.'),
    cfg.FloatOpt('inventory_interval', default=60.0, min=1, help='Seconds between two looks at what the host has.'),
    cfg.FloatOpt('power_sync_interval', default=60.0, min=1,
                 help='Seconds between two comparisons of all guests with what is known of them.'),
    cfg.FloatOpt('image_cache_interval', default=2400.0, min=1, help='Seconds between two looks at the image cache.'),
    cfg.FloatOpt('image_cache_age', default=86400.0, min=0,
                 help='Seconds after its last use when an unused cached image is removed.'),
    cfg.IntOpt('max_concurrent_builds', default=10, min=1, help='Servers that are built here at the same time.'),
    cfg.IntOpt('max_concurrent_actions', default=20, min=1, help='Other operations that run here at the same time.'),
    cfg.IntOpt('max_concurrent_moves', default=2, min=1,
               help='Legs of resizes and migrations that run here at the same time: they copy disks.'),
    cfg.FloatOpt('patience', default=60.0, min=0,
                 help='Seconds for which an operation goes on trying while the network or image service or the '
                      'hypervisor does not answer, as when one of them restarts. Then it fails, or is tried on '
                      'another host.'),
    cfg.FloatOpt('vif_plug_timeout', default=120.0, min=1,
                 help='Seconds that a new server waits for its ports to be wired before its build fails.'),
    cfg.FloatOpt('shutdown_timeout', default=60.0, min=0,
                 help='Seconds that a guest has to shut down when it is stopped or rebooted softly; then power is cut. '
                      'The image property os_shutdown_timeout overrides it.'),
    cfg.BoolOpt('force_config_drive', default=False, help='Give every server a config drive.'),
    cfg.BoolOpt('resume_guests', default=True,
                help='Start guests that should run and do not when the worker starts: after a reboot of the host.'),
    cfg.IPOpt('transfer_address',
              help='Address of this host for the disks of servers that move: other workers fetch them at this address, '
                   'and this worker connects from it. Without it, the address from which this host reaches the other '
                   'one. If it is set, it is also the host_ip that the hypervisors API shows.'),
    cfg.Opt('transfer_ports', type=PortRange(), default='0',
            help='Port, or range of ports (FIRST-LAST), of which one is open while the disks of a server are fetched '
                 'from this host; 0 means any free port. Each server that moves needs a port of its own. Only the '
                 'host to which it moves is let in.'),
    cfg.IntOpt('transfer_rate', default=0, min=0,
               help='Bytes per second that this host sends at most while disks move to other hosts, all transfers '
                    'together; 0 means no limit.'),
    cfg.IntOpt('console_log_bytes', default=102400, min=1024, help='How much of a console\'s end is read at most.'),
]
