"""Options of the hypervisor driver as a whole; each driver has a group of its own (``fake``, ``libvirt``)."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('virt', title='Hypervisor driver', help='Which hypervisor a worker drives.')

OPTS = [
    cfg.StrOpt('driver', default='libvirt', help='''
Name of the hypervisor driver, as registered under the entry point namespace ``compute.virt.drivers``.

``libvirt`` runs real guests under KVM or QEMU. ``fake`` runs none: it keeps a list of guests in memory and is meant
for tests, for load tests and for trying the API without a hypervisor.
'''),
]
