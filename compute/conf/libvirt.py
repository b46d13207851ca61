"""Options of the libvirt driver."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('libvirt', title='libvirt', help='KVM and QEMU guests through libvirt; see [virt] driver.')

OPTS = [
    cfg.StrOpt('connection_uri', default='qemu:///system', help='''
URI of the hypervisor. It has to be a libvirtd on this host, because disks are made as local files.
'''),
    cfg.StrOpt('virt_type', default='auto', choices=[
        ('auto', 'KVM where libvirt says that it is usable, else QEMU'),
        ('kvm', 'hardware virtualisation'),
        ('qemu', 'emulation in software: works everywhere, some ten times slower'),
    ], help='How guests are run.'),
    cfg.StrOpt('instances_path', default='/var/lib/compute/instances', help='''
Directory for the disks of guests (a folder for each, named by uuid) and for the cached images (``_base``). It has
to be reachable for the user that runs QEMU. Its file system is the disk that the host reports.
'''),
    cfg.StrOpt('cpu_mode', default='auto', choices=[
        ('auto', 'host-model under KVM, maximum under QEMU'),
        ('host-model', 'the named model closest to this host, which keeps live migration possible'),
        ('host-passthrough', 'exactly the CPU of this host'),
        ('maximum', 'all that the hypervisor can offer'),
        ('custom', 'the first usable one of cpu_models'),
        ('none', 'the default of the hypervisor'),
    ], help='Which CPU guests see.'),
    cfg.ListOpt('cpu_models', default=[], help='''
CPU models in order of preference, as ``virsh domcapabilities`` names them; the first that this host can run is used.
Read only with ``cpu_mode = custom``.
'''),
    cfg.ListOpt('cpu_model_extra_flags', default=[], help='''
CPU features to add (``+pcid`` or ``pcid``) or to remove (``-vmx``). Without effect with ``cpu_mode = none``.
'''),
    cfg.StrOpt('machine_type', default='', help='''
Machine type of guests whose image does not name one (``hw_machine_type``), for example ``pc`` or ``q35``. Empty takes
``pc`` on x86 and the default of libvirt elsewhere.
'''),
    cfg.StrOpt('disk_cachemode', default='writeback', choices=[
        ('none', 'no page cache of the host; safe for live migration, needs O_DIRECT'),
        ('writeback', 'page cache of the host; what the guest flushes is safe'),
        ('writethrough', 'page cache for reads; each write is flushed'),
        ('directsync', 'no page cache, each write is flushed'),
        ('unsafe', 'flushes are ignored; only for throw-away guests'),
    ], help='How the host caches the local disks of guests.'),
    cfg.StrOpt('vnc_listen', default='127.0.0.1', help='''
Address at which the VNC consoles of guests listen. Console proxies on other hosts must be able to reach it; nobody
else should.
'''),
    cfg.StrOpt('smbios_manufacturer', default='Compute', help='''
Manufacturer in the SMBIOS tables of guests. Software that looks for a cloud there (cloud-init among it) knows
``OpenStack Foundation``.
'''),
    cfg.StrOpt('smbios_product', default='OpenStack Compute', help='''
Product name in the SMBIOS tables of guests. cloud-init takes a guest for one of OpenStack's when this is
``OpenStack Nova`` or ``OpenStack Compute``.
'''),
    cfg.IntOpt('memory_stats_period', default=10, min=0, help='''
Seconds between the memory statistics that guests send through the balloon device; 0 turns them off.
'''),
    cfg.IntOpt('image_inspection_memory_mb', default=1024, min=128, help='''
Memory that the inspection of an image may take. An image that was built to exhaust the host fails at this limit.
'''),
    cfg.IntOpt('image_inspection_seconds', default=30, min=1, help='''
CPU seconds that the inspection of an image may take.
'''),
]
