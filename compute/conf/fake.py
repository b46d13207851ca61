"""Options of the fake hypervisor: how large it says it is and how long it takes."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('fake', title='Fake hypervisor', help='The hypervisor that runs nothing; see [virt] driver.')

OPTS = [
    cfg.IntOpt('vcpus', default=1000, min=1, help='Number of physical CPUs that each fake host reports.'),
    cfg.IntOpt('memory_mb', default=1048576, min=1, help='Memory in MiB that each fake host reports.'),
    cfg.IntOpt('disk_gb', default=102400, min=0, help='Disk in GiB that each fake host reports.'),
    cfg.FloatOpt('spawn_delay', default=0.0, min=0.0, help='''
Seconds that it takes to start a new guest. Raise it to see a server in BUILD, or to give a load test realistic times.
'''),
    cfg.FloatOpt('shutdown_delay', default=0.0, min=0.0, help='''
Seconds that a guest takes to obey a request to shut down. Where it is longer than the time the caller allows, power is
cut after that time, and a soft reboot fails as with a guest that does not listen.
'''),
    cfg.BoolOpt('download_images', default=False, help='''
Whether image data is really fetched (and then verified and thrown away). False treats every image as already
there, which keeps a load test from measuring the image service.
'''),
    cfg.StrOpt('state_dir', default='', help='''
Directory in which each fake host keeps its guests, in a folder named after the host, so that they survive a restart
of the worker as real guests do. Empty keeps them in memory only.
'''),
]
