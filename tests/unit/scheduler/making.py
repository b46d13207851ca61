"""Hosts, requests and configurations for the scheduler's tests."""

from __future__ import annotations

import uuid
from typing import Any

from oslo_config import cfg

from compute import conf as options
from compute.objects.flavor import Flavor
from compute.objects.host import Host
from compute.objects.image import Image
from compute.objects.request_spec import RequestSpec, ServerGroup
from compute.objects.value import now
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request

DOWN_AFTER = 60.0


def make_conf(**scheduler: Any) -> cfg.ConfigOpts:
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[], default_config_dirs=[])
    for name, value in scheduler.items():
        conf.set_override(name, value, group='scheduler')
    return conf


def make_host(name: str = 'one', **values: Any) -> HostState:
    """Return a host of 4 CPUs (ratio 4.0), 8192 MB and 100 GB that is up."""
    shown: dict[str, Any] = {
        'id': sum(name.encode()), 'uuid': str(uuid.uuid4()), 'host': name, 'node': f'node-{name}', 'vcpus': 4,
        'memory_mb': 8192, 'disk_gb': 100, 'free_disk_gb': 100, 'last_seen_at': now(), **values}
    return HostState.of(Host(**shown), DOWN_AFTER)


def make_request(vcpus: int = 1, memory_mb: int = 1024, disk_gb: int = 10, image: dict[str, str] | None = None,
                 **values: Any) -> Request:
    flavor = Flavor(flavorid='1', name='f', vcpus=vcpus, memory_mb=memory_mb, root_gb=disk_gb)
    return Request(RequestSpec(instance_uuid='i', flavor=flavor, **values,
                               image=Image(id='x', properties=image) if image is not None else None))


def make_group(policy: str, *hosts: str, **rules: int) -> ServerGroup:
    return ServerGroup(uuid='g', policy=policy, member_hosts=hosts, rules=rules)
