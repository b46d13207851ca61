"""Values become JSON and come back; peers one version apart understand each other."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

import orjson
import pytest

from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.instance import Fault, Instance
from compute.objects.nic import FixedIp, Nic, Subnet
from compute.objects.operation import Operation, OperationError, Work
from compute.objects.value import decode, encode

NIC = Nic(port_id='p', network_id='n', mac='m', fixed_ips=(FixedIp(address='10.0.0.2', subnet_id='s'),),
          subnets=(Subnet(id='s', cidr='10.0.0.0/24', routes=(('10.1.0.0/16', '10.0.0.9'),)),))
INSTANCE = Instance(
    uuid='u', project_id='p', user_id='x', name='n', nics=(NIC,), image=Image(id='i', properties={'a': 'b'}),
    flavor=Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64), metadata={'k': 'v'}, tags=('t',),
    fault=Fault(message='m', created_at=datetime.datetime(2026, 11, 20, 1, 2, 3)),
    created_at=datetime.datetime(2026, 11, 20, 1, 2, 3, 456))


def test_round_trip_through_json() -> None:
    work = Work(operation=Operation(id=1, request_id='r', kind='create', instance_uuid='u', args={'nics': []},
                                    error=OperationError(message='e')), instance=INSTANCE)
    assert decode(Work, orjson.loads(orjson.dumps(encode(work)))) == work


@dataclass(frozen=True, kw_only=True)
class Older:
    name: str


@dataclass(frozen=True, kw_only=True)
class Newer:
    name: str
    size: int = 7
    parts: tuple[str, ...] = field(default_factory=tuple)


def test_an_older_peer_ignores_what_it_does_not_know() -> None:
    assert decode(Older, encode(Newer(name='a', size=1))) == Older(name='a')


def test_a_newer_peer_takes_defaults_for_what_is_missing() -> None:
    assert decode(Newer, encode(Older(name='a'))) == Newer(name='a')


def test_what_cannot_travel_is_refused() -> None:
    with pytest.raises(TypeError, match='cannot travel'):
        encode(object())
