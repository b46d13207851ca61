"""What the inspector lets pass, what it refuses, and the size of the disk that it reads, however the data is cut."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

from compute.builtin.image.formats.inspector import Inspector
from compute.exception import Invalid
from tests.unit.builtin.image import making
from tests.unit.builtin.image.making import GIB, KIB, MIB

CUTS = [1 * MIB, 700 * KIB, 65536, 1000]


def inspect(data: bytes, declared: str, *, cut: int = MIB, container: str = 'bare', enforce: bool = True) -> int | None:
    inspector = Inspector(declared, container, enforce)
    for start in range(0, len(data), cut):
        inspector.feed(data[start:start + cut])
    return inspector.finish()


GOOD = {
    'qcow2 v3': ('qcow2', making.qcow2(5 * GIB), 5 * GIB),
    'qcow2 v2': ('qcow2', making.qcow2(version=2), GIB),
    'qcow2 with known features': ('qcow2', making.qcow2(features=0b11011), GIB),
    'vmdk': ('vmdk', making.vmdk(), GIB),
    'vmdk stream': ('vmdk', making.vmdk(kind='streamOptimized'), GIB),
    'vhd dynamic': ('vhd', making.vhd(), GIB),
    'vhd fixed': ('vhd', making.vhd(MIB, kind=2, data=MIB), MIB),
    'vhdx': ('vhdx', making.vhdx(7 * GIB), 7 * GIB),
    'vhdx with early metadata': ('vhdx', making.vhdx(GIB, metadata_at=256 * KIB), GIB),
    'vdi': ('vdi', making.vdi(), GIB),
    'iso': ('iso', making.iso(), 64 * KIB),
    'raw': ('raw', b'\x55\xaa' * 5000, 10000),
    'raw, empty': ('raw', b'', 0),
    'an iso called raw': ('raw', making.iso(), 64 * KIB),
    'ami is not looked into': ('ami', making.qcow2(), 4096),
}


@pytest.mark.parametrize('cut', CUTS)
@pytest.mark.parametrize('name', GOOD)
def test_good_data_passes_and_its_disk_is_measured(name: str, cut: int) -> None:
    declared, data, size = GOOD[name]
    assert inspect(data, declared, cut=cut) == size


BAD = {
    'raw that is qcow2': ('raw', making.qcow2(), 'declared raw but its data is qcow2'),
    'raw that is vmdk': ('raw', making.vmdk(), 'declared raw but its data is vmdk'),
    'raw that is vhd': ('raw', making.vhd(), 'declared raw but its data is vhd'),
    'raw that ends as vhd': ('raw', making.vhd(kind=2, data=MIB), 'declared raw but its data is vhd'),
    'raw that is vhdx': ('raw', making.vhdx(), 'declared raw but its data is vhdx'),
    'raw that is vdi': ('raw', making.vdi(), 'declared raw but its data is vdi'),
    'raw that is qed': ('raw', b'QED\0' + bytes(100), 'declared raw but its data is qed'),
    'raw that is a descriptor': ('raw', b'# Disk DescriptorFile\n', 'declared raw but its data is vmdk'),
    'qcow2 that is raw': ('qcow2', bytes(2 * MIB), 'declared qcow2 but its data is raw'),
    'qcow2 that is empty': ('qcow2', b'', 'declared qcow2 but its data is raw'),
    'qcow2 that is vmdk': ('qcow2', making.vmdk(), 'declared qcow2 but its data is vmdk'),
    'vhd that is raw': ('vhd', bytes(2 * MIB), 'declared vhd but its data is raw'),
    'iso that is raw': ('iso', bytes(64 * KIB), 'declared iso but its data is raw'),
    'backing file': ('qcow2', making.qcow2(backing=104), 'it has a backing file'),
    'backing file of v2': ('qcow2', making.qcow2(version=2, backing=72), 'it has a backing file'),
    'external data': ('qcow2', making.qcow2(features=1 << 2), 'external data file'),
    'unknown feature': ('qcow2', making.qcow2(features=1 << 7), '0x80'),
    'old qcow': ('qcow2', making.qcow2(version=1), 'version 1'),
    'cut-off header': ('qcow2', making.qcow2(length=50), 'cut off'),
    'cut-off header of v3': ('qcow2', making.qcow2(length=90), 'cut off'),
    'flat vmdk': ('vmdk', making.vmdk(kind='monolithicFlat', extent='RW 1 FLAT "/etc/passwd" 0'), 'monolithicFlat'),
    'vmdk with a flat extent': ('vmdk', making.vmdk(extent='RW 1 FLAT "/etc/passwd" 0'), 'FLAT'),
    'vmdk with two extents': ('vmdk', making.vmdk(extent='RW 1 SPARSE "a"\nRW 1 SPARSE "b"'), 'SPARSE, SPARSE'),
    'vmdk with a parent': ('vmdk', making.vmdk(cid='12345678'), 'parent'),
    'vmdk with a named parent': ('vmdk', making.vmdk(parent='/etc/passwd'), 'parent'),
    'vmdk without descriptor': ('vmdk', making.vmdk(descriptor_at=0), 'descriptor is missing'),
    'vmdk with a far descriptor': ('vmdk', making.vmdk(descriptor_at=10 ** 9), "type is ''"),
    'vmdk descriptor': ('vmdk', b'# Disk DescriptorFile\nRW 1 FLAT "/etc/passwd"', 'other files'),
    'differencing vhd': ('vhd', making.vhd(kind=4), 'differencing'),
    'differencing vhdx': ('vhdx', making.vhdx(parent=True), 'differencing'),
    'vhdx without regions': ('vhdx', b'vhdxfile' + bytes(MIB), 'region table'),
    'vhdx that ends early': ('vhdx', making.vhdx()[:2 * MIB], 'metadata is missing'),
    'differencing vdi': ('vdi', making.vdi(kind=4), 'type is 4'),
    'endless qcow2': ('qcow2', making.qcow2(2 ** 63), f'disk of {2 ** 63} bytes'),
    'endless vmdk': ('vmdk', making.vmdk(2 ** 72), f'disk of {2 ** 72} bytes'),
    'endless vhd': ('vhd', making.vhd(2 ** 64 - 1), 'disk of'),
    'endless fixed vhd': ('vhd', making.vhd(2 ** 63, kind=2, data=MIB), 'disk of'),
    'endless vhdx': ('vhdx', making.vhdx(2 ** 63), 'disk of'),
    'endless vdi': ('vdi', making.vdi(2 ** 63), 'disk of'),
    'ploop': ('ploop', b'WithoutFreeSpace' + bytes(100), 'not supported'),
}


@pytest.mark.parametrize('cut', CUTS)
@pytest.mark.parametrize('name', BAD)
def test_bad_data_is_refused_and_told_why(name: str, cut: int) -> None:
    declared, data, why = BAD[name]
    with pytest.raises(Invalid) as caught:
        inspect(data, declared, cut=cut)
    assert why in caught.value.message and caught.value.status == 415


@pytest.mark.parametrize('data', [making.qcow2(backing=104, length=4 * MIB), making.vmdk(cid='1'),
                                  making.qcow2(2 ** 63, length=4 * MIB)])
def test_what_the_beginning_tells_is_refused_at_the_beginning(data: bytes) -> None:
    for declared in ('raw', 'qcow2', 'vmdk'):
        with pytest.raises(Invalid):
            Inspector(declared, 'bare').feed(data[:MIB])


@pytest.mark.parametrize('name', [name for name in BAD if BAD[name][0] != 'ploop'])
def test_without_enforcement_everything_passes(name: str) -> None:
    declared, data, _ = BAD[name]
    inspect(data, declared, enforce=False)


@pytest.mark.parametrize('name', [name for name in BAD if name.startswith('endless')])
def test_a_size_that_cannot_be_is_not_told(name: str) -> None:
    declared, data, _ = BAD[name]
    assert inspect(data, declared, enforce=False) is None


def test_the_largest_disk_that_can_be() -> None:
    assert inspect(making.qcow2(2 ** 63 - 1), 'qcow2') == 2 ** 63 - 1


def test_wrapped_data_is_not_looked_into() -> None:
    assert inspect(making.qcow2(backing=104), 'vmdk', container='ova') is None


@pytest.mark.skipif(shutil.which('qemu-img') is None, reason='needs qemu-img')
@pytest.mark.parametrize(('declared', 'kind', 'options'), [
    ('qcow2', 'qcow2', []), ('qcow2', 'qcow2', ['-o', 'compat=0.10']), ('qcow2', 'qcow2', ['-o', 'extended_l2=on']),
    ('vmdk', 'vmdk', []), ('vmdk', 'vmdk', ['-o', 'subformat=streamOptimized']), ('vdi', 'vdi', []),
    ('vhdx', 'vhdx', []), ('vhd', 'vpc', []), ('vhd', 'vpc', ['-o', 'subformat=fixed']), ('raw', 'raw', [])])
def test_what_qemu_makes_passes(tmp_path: pathlib.Path, declared: str, kind: str, options: list[str]) -> None:
    source, target = tmp_path / 'raw', tmp_path / 'image'
    source.write_bytes(bytes(3 * MIB) + b'end'.ljust(MIB, b'x'))
    subprocess.run(['qemu-img', 'convert', '-f', 'raw', '-O', kind, *options, str(source), str(target)], check=True,
                   capture_output=True)
    size = inspect(target.read_bytes(), declared)
    assert size is not None and 4 * MIB <= size < 5 * MIB  # vpc rounds to its geometry


@pytest.mark.skipif(shutil.which('qemu-img') is None, reason='needs qemu-img')
@pytest.mark.parametrize(('kind', 'more'), [
    ('qcow2', ['-o', 'data_file={0}/data']), ('qcow2', ['-b', '{0}/base', '-F', 'raw']),
    ('vmdk', ['-b', '{0}/vmdk', '-F', 'vmdk']), ('vmdk', ['-o', 'subformat=monolithicFlat'])])
def test_what_qemu_makes_with_references_is_refused(tmp_path: pathlib.Path, kind: str, more: list[str]) -> None:
    (tmp_path / 'base').write_bytes(bytes(MIB))
    subprocess.run(['qemu-img', 'create', '-f', 'vmdk', str(tmp_path / 'vmdk'), '1M'], check=True, capture_output=True)
    size = [] if '-b' in more else ['1M']
    subprocess.run(['qemu-img', 'create', '-f', kind, *[word.format(tmp_path) for word in more],
                    str(tmp_path / 'image'), *size], check=True, capture_output=True)
    with pytest.raises(Invalid):
        inspect((tmp_path / 'image').read_bytes(), kind)
