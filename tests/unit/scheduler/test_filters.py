"""Each filter as a table: a host, a request, and the reason (None: it passes)."""

from __future__ import annotations

import datetime
import types
from typing import Any

import pytest

from compute import exception
from compute.objects.value import now
from compute.scheduler import filters
from compute.scheduler.filters.current_host import CurrentHostFilter
from compute.scheduler.filters.filter import Filter
from tests.unit.scheduler.making import make_conf, make_group, make_host, make_request

LONG_AGO = now() - datetime.timedelta(seconds=75)
QEMU = {'architectures': ('x86_64', 'i686'), 'vm_modes': ('hvm',), 'hypervisor_type': 'QEMU',
        'hypervisor_version': 7002010}

TABLE: list[tuple[str, dict[str, Any], dict[str, Any], str | None]] = [
    ('ComputeFilter', {}, {}, None),
    ('ComputeFilter', {'service_disabled': True}, {}, 'is disabled'),
    ('ComputeFilter', {'service_disabled': True, 'disabled_reason': 'new disk'}, {}, 'is disabled: new disk'),
    ('ComputeFilter', {'forced_down': True}, {}, 'is forced down'),
    ('ComputeFilter', {'last_seen_at': None}, {}, 'has never reported'),
    ('ComputeFilter', {'last_seen_at': LONG_AGO}, {}, 'is down: its last report came '),
    ('RetryFilter', {}, {'excluded': ('two',)}, None),
    ('RetryFilter', {}, {'excluded': ('two', 'one')}, 'was tried already'),
    ('SameHostFilter', {}, {'same_hosts': ('one', 'two')}, None),
    ('SameHostFilter', {}, {'same_hosts': ('two',)}, 'has none of the servers that same_host names'),
    ('SameHostFilter', {}, {'same_hosts': ()}, 'has none of the servers that same_host names'),
    ('DifferentHostFilter', {}, {'different_hosts': ('two',)}, None),
    ('DifferentHostFilter', {}, {'different_hosts': ('one',)}, 'has a server that different_host names'),
    ('RequestedHostFilter', {}, {'host': 'one'}, None),
    ('RequestedHostFilter', {}, {'host': 'two'}, 'is not the requested host two'),
    ('RequestedHostFilter', {}, {'node': 'node-one', 'host': 'one'}, None),
    ('RequestedHostFilter', {}, {'node': 'node-two'}, 'has node node-one, not the requested node-two'),
    ('AvailabilityZoneFilter', {}, {'availability_zone': 'nova'}, None),
    ('AvailabilityZoneFilter', {}, {'availability_zone': 'east'}, 'is in availability zone nova, not in east'),
    ('RamFilter', {}, {'memory_mb': 8192}, None),
    ('RamFilter', {'memory_mb_used': 5382}, {'memory_mb': 4096},
     'needs 4096 MB of RAM, 2810 of 8192 are free (ratio 1.0)'),
    ('RamFilter', {'ram_allocation_ratio': 2.0}, {'memory_mb': 8193},
     'needs 8193 MB of RAM, the machine has 8192'),
    ('RamFilter', {'ram_allocation_ratio': 2.0, 'memory_mb_used': 8192}, {'memory_mb': 8192}, None),
    ('RamFilter', {'reserved_memory_mb': 512}, {'memory_mb': 8192},
     'needs 8192 MB of RAM, 7680 of 7680 are free (ratio 1.0)'),
    ('CoreFilter', {'vcpus_used': 12}, {'vcpus': 4}, None),
    ('CoreFilter', {'vcpus_used': 13}, {'vcpus': 4}, 'needs 4 VCPUs, 3 of 16 are free (ratio 4.0)'),
    ('CoreFilter', {}, {'vcpus': 5}, 'needs 5 VCPUs, the machine has 4 CPUs'),
    ('CoreFilter', {'vcpus_used': 20}, {'vcpus': 1}, 'needs 1 VCPUs, 0 of 16 are free (ratio 4.0)'),
    ('DiskFilter', {}, {'disk_gb': 100}, None),
    ('DiskFilter', {'disk_gb_used': 95}, {'disk_gb': 10}, 'needs 10 GB of disk, 5 of 100 are free (ratio 1.0)'),
    ('DiskFilter', {'free_disk_gb': 3}, {'disk_gb': 10},
     'needs 10 GB of disk, 3 are free on its file system (ratio 1.0)'),
    ('DiskFilter', {'free_disk_gb': 3, 'disk_allocation_ratio': 4.0}, {'disk_gb': 10}, None),
    ('ImagePropertiesFilter', QEMU, {'image': {'architecture': 'x86_64'}}, None),
    ('ImagePropertiesFilter', QEMU, {'image': {'hw_architecture': 'AMD64'}}, None),
    ('ImagePropertiesFilter', QEMU, {'image': {'hw_architecture': 'arm64'}},
     'has architecture x86_64, i686, the image needs aarch64'),
    ('ImagePropertiesFilter', QEMU, {'image': {'img_hv_type': 'kvm'}}, None),
    ('ImagePropertiesFilter', QEMU, {'image': {'hypervisor_type': 'xen'}},
     'has hypervisor QEMU, the image needs xen'),
    ('ImagePropertiesFilter', QEMU, {'image': {'hw_vm_mode': 'xen'}}, 'has VM mode hvm, the image needs xen'),
    ('ImagePropertiesFilter', QEMU, {'image': {'img_hv_requested_version': '>=7.2,<8'}}, None),
    ('ImagePropertiesFilter', QEMU, {'image': {'img_hv_requested_version': '>=7.2.11'}},
     'has hypervisor version 7.2.10, the image needs >=7.2.11'),
    ('ImagePropertiesFilter', QEMU, {'image': {'hypervisor_version_requires': 'new'}},
     'cannot tell: the image asks for hypervisor version \'new\', which is no condition'),
    ('ServerGroupAntiAffinityFilter', {}, {'group': make_group('anti-affinity', 'two')}, None),
    ('ServerGroupAntiAffinityFilter', {}, {'group': make_group('anti-affinity', 'one')},
     'has 1 member of the anti-affinity group, at most 1 may be'),
    ('ServerGroupAntiAffinityFilter', {},
     {'group': make_group('anti-affinity', 'one', 'one', max_server_per_host=3)}, None),
    ('ServerGroupAntiAffinityFilter', {},
     {'group': make_group('anti-affinity', 'one', 'one', max_server_per_host=2)},
     'has 2 members of the anti-affinity group, at most 2 may be'),
    ('ServerGroupAffinityFilter', {}, {'group': make_group('affinity', 'one')}, None),
    ('ServerGroupAffinityFilter', {}, {'group': make_group('affinity', 'two')},
     'is not two, where the affinity group is'),
    ('CurrentHostFilter', {}, {'leaves': 'two'}, None),
    ('CurrentHostFilter', {}, {'leaves': 'one'}, 'is the host of the server now'),
    ('IoOpsFilter', {'io_ops': 7}, {}, None),
    ('IoOpsFilter', {'io_ops': 8}, {}, 'has 8 builds, copies or snapshots under way, at most 8 may be'),
]


def get(name: str) -> Filter:
    return {**filters.FILTERS, 'CurrentHostFilter': CurrentHostFilter}[name](make_conf())


@pytest.mark.parametrize(('name', 'host', 'request_', 'reason'), TABLE)
def test_check(name: str, host: dict[str, Any], request_: dict[str, Any], reason: str | None) -> None:
    asked = make_request(**request_)
    filter_ = get(name)
    assert filter_.applies(asked)
    found = filter_.check(make_host(**host), asked)
    assert found is None if reason is None else str(found).startswith(reason)
    if reason:
        assert filter_.summary([make_host(**host)], asked).startswith('1 ')
        assert 'one' not in filter_.summary([make_host(**host)], asked).split(), 'no host names for tenants'


def test_every_filter_is_in_the_table() -> None:
    assert {row[0] for row in TABLE} == {*filters.FILTERS, CurrentHostFilter.__name__}


@pytest.mark.parametrize('name', [
    'RetryFilter', 'RequestedHostFilter', 'AvailabilityZoneFilter', 'ImagePropertiesFilter',
    'ServerGroupAntiAffinityFilter', 'ServerGroupAffinityFilter'])
def test_a_request_that_asks_for_nothing_is_not_checked(name: str) -> None:
    assert not get(name).applies(make_request(image={'os_distro': 'debian'}))


@pytest.mark.parametrize(('name', 'group'), [
    ('ServerGroupAntiAffinityFilter', make_group('affinity', 'one')),
    ('ServerGroupAffinityFilter', make_group('soft-affinity', 'one')),
    ('ServerGroupAffinityFilter', make_group('affinity'))])
def test_other_policies_and_empty_groups_do_not_matter(name: str, group: Any) -> None:
    assert not get(name).applies(make_request(group=group))


@pytest.mark.parametrize(('name', 'request_', 'words'), [
    ('RamFilter', {'memory_mb': 4096}, '2 lack RAM (needs 4096 MB, at most 2810 MB free)'),
    ('CoreFilter', {'vcpus': 4}, '2 lack VCPUs (needs 4, at most 3 free)'),
    ('DiskFilter', {'disk_gb': 20}, '2 lack disk (needs 20 GB, at most 9 GB free)'),
    ('ComputeFilter', {}, '1 is disabled, 1 is down'),
    ('AvailabilityZoneFilter', {'availability_zone': 'x'}, '2 are in another availability zone')])
def test_summary_names_the_nearest_miss(name: str, request_: dict[str, Any], words: str) -> None:
    hosts = [make_host('a', memory_mb_used=5382, vcpus_used=13, free_disk_gb=9, service_disabled=True),
             make_host('b', memory_mb_used=9000, vcpus_used=20, disk_gb_used=95, last_seen_at=LONG_AGO)]
    assert get(name).summary(hosts, make_request(**request_)) == words


def test_load_keeps_the_order_between_those_that_are_no_option() -> None:
    loaded = filters.load(make_conf(enabled_filters=['RamFilter', 'ComputeFilter']))
    assert [each.name for each in loaded] == ['CurrentHostFilter', 'RamFilter', 'ComputeFilter', 'LostClaimFilter']


def test_load_knows_all_defaults() -> None:
    assert len(filters.load(make_conf())) == 14


@pytest.mark.parametrize('name', ['CurrentHostFilter', 'LostClaimFilter'])
def test_what_is_no_option_is_not_found_by_its_name(name: str) -> None:
    with pytest.raises(exception.Invalid, match=name):
        filters.load(make_conf(enabled_filters=[name]))


def test_an_unknown_filter_is_named() -> None:
    with pytest.raises(exception.Invalid, match='NoSuchFilter'):
        filters.load(make_conf(enabled_filters=['NoSuchFilter']))


def test_an_installed_filter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Filter):
        """Nobody passes."""

    def points(*, group: str, name: str) -> list[Any]:
        return [types.SimpleNamespace(load=lambda: Own)] if (group, name) == (filters.ENTRY_POINTS, 'Own') else []
    monkeypatch.setattr(filters.metadata, 'entry_points', points)
    assert isinstance(filters.load(make_conf(enabled_filters=['Own']))[1], Own)


@pytest.mark.parametrize('name', sorted(filters.FILTERS))
def test_many_hosts_are_judged_as_one_is(name: str) -> None:
    """``passing`` and ``check`` say the same, whatever the table above has asked for."""
    judge = filters.FILTERS[name](make_conf())
    hosts = [make_host('one', **host) for _, host, _, _ in TABLE]
    for _, _, asked, _ in TABLE:
        request = make_request(**asked)
        if judge.applies(request):
            assert judge.passing(hosts, request) == [host for host in hosts if judge.check(host, request) is None]
