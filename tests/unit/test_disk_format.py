"""Which data passes, which is refused and why, and the size of its disk, however the data is cut."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

from compute.disk_format import DataRefused, FormatInspection, inspect, opened_as
from tests.unit.builtin.image import making
from tests.unit.builtin.image.making import GIB, KIB, MIB

CUTS = [2 * MIB, 700 * KIB, 65536, 1000]


def fed(data: bytes, declared: str, *, cut: int = MIB, container: str = 'bare') -> FormatInspection:
    inspection = FormatInspection(declared, container)
    for start in range(0, len(data), cut):
        inspection.feed(data[start:start + cut])
    return inspection


def sector(text: bytes = b'') -> bytearray:
    """Return the first sector of a disk with one partition."""
    data = bytearray(text.ljust(512, b'\0'))
    data[446:462] = bytes((0x80, 0, 2, 0, 0x83, 0, 0, 0)) + (1).to_bytes(4, 'little') + (9).to_bytes(4, 'little')
    data[510:512] = b'\x55\xaa'
    return data


def polyglot(front: bytes) -> bytes:
    """Return an ISO that begins as something else."""
    data = bytearray(making.iso(max(64 * KIB, len(front))))
    data[:min(len(front), 32 * KIB)] = front[:32 * KIB]
    return bytes(data)


def trick(text: str, size: int = 0) -> bytes:
    """Return a VMDK with a descriptor of one's own."""
    return making.vmdk(size)[:512] + text.encode().ljust(20 * 512, b'\0') + bytes(MIB)


HEAD = '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n'
DISK = bytes(sector()) + bytes(MIB)
GOOD = {
    'qcow2 v3': ('qcow2', making.qcow2(5 * GIB), 5 * GIB),
    'qcow2 v2': ('qcow2', making.qcow2(version=2), GIB),
    'qcow2 with known features': ('qcow2', making.qcow2(features=0b1011), GIB),
    'vmdk': ('vmdk', making.vmdk(), GIB),
    'vmdk stream': ('vmdk', making.vmdk(kind='streamOptimized'), GIB),
    'vhd': ('vhd', making.vhd(), GIB),
    'vhdx': ('vhdx', making.vhdx(7 * GIB), 7 * GIB),
    'vhdx with early metadata': ('vhdx', making.vhdx(GIB, metadata_at=256 * KIB), GIB),
    'vdi': ('vdi', making.vdi(), GIB),
    'iso': ('iso', making.iso(), 64 * KIB),
    'iso that is a disk too': ('iso', polyglot(bytes(sector())), 64 * KIB),
    'raw': ('raw', b'\x55\xab' * 5000, 10000),
    'raw of one byte': ('raw', b'\xfb', 1),
    'raw of some text': ('raw', b'a kernel' * 1000, 8000),
    'raw, empty': ('raw', b'', 0),
    'raw with partitions': ('raw', DISK, len(DISK)),
    'raw that ends as vhd': ('raw', making.vhd(kind=2, data=MIB), MIB + 512),
    'an iso called raw': ('raw', making.iso(), 64 * KIB),
    'ami': ('ami', DISK, len(DISK)),
    'kernel': ('aki', b'MZ'.ljust(510, b'\x90') + b'\x55\xaa' + bytes(MIB), MIB + 512),
    'RAM disk': ('ari', b'\x1f\x8b' + bytes(5000), 5002),
}


@pytest.mark.parametrize('cut', CUTS)
@pytest.mark.parametrize('name', GOOD)
def test_good_data_passes_and_its_disk_is_measured(name: str, cut: int) -> None:
    declared, data, size = GOOD[name]
    inspection = fed(data, declared, cut=cut)
    inspection.check_beginning()
    assert inspection.finish() == size
    assert fed(data, declared, cut=cut).virtual_size() == size


CREATE = 'createType="monolithicSparse"\n'
ONE = 'RW 1 SPARSE "a.vmdk"\n'
BAD = {
    'raw that is qcow2': ('raw', making.qcow2(), 'declared raw but its data is qcow2'),
    'raw that is vmdk': ('raw', making.vmdk(), 'declared raw but its data is vmdk'),
    'raw that is vhd': ('raw', making.vhd(), 'declared raw but its data is vhd'),
    'raw that is vhdx': ('raw', making.vhdx(), 'declared raw but its data is vhdx'),
    'raw that is vdi': ('raw', making.vdi(), 'declared raw but its data is vdi'),
    'raw that is qed': ('raw', b'QED\0' + bytes(1000), 'declared raw but its data is qed'),
    'raw that is short qed': ('raw', b'QED\0', 'declared raw but its data is qed'),
    'raw that is luks': ('raw', b'LUKS\xba\xbe\0\1' + bytes(MIB), 'declared raw but its data is luks'),
    'raw that is ploop': ('raw', b'WithoutFreeSpace' + bytes(1000), 'declared raw but its data is ploop'),
    'raw that is bochs': ('raw', b'Bochs Virtual HD Image' + bytes(1000), 'its data is bochs'),
    'raw that is an old vmdk': ('raw', b'COWD' + bytes(1000), 'its data is vmdk'),
    'raw that is a descriptor': ('raw', b'# Disk DescriptorFile\n', 'declared raw but its data is vmdk'),
    'raw that is a whole descriptor': ('raw', (HEAD + 'createType="monolithicFlat"\nRW 1 FLAT "/etc/passwd" 0\n'
                                               ).ljust(2000).encode(), 'declared raw but its data is vmdk'),
    'raw that QEMU takes for a descriptor': ('raw', b'# a\n\n#b\n  version=1\nRW 1 FLAT "x"'.ljust(2000), 'is vmdk'),
    'raw with a bad partition': ('raw', b'\x55\xaa' * 5000, 'partition table'),
    'ami that is qcow2': ('ami', making.qcow2(), 'declared ami but its data is qcow2'),
    'kernel that is qcow2': ('aki', making.qcow2(), 'declared aki but its data is qcow2'),
    'RAM disk that is a descriptor': ('ari', b'# Disk DescriptorFile\n', 'declared ari but its data is vmdk'),
    'iso that is qcow2 too': ('iso', polyglot(making.qcow2()), 'several formats at once: iso, qcow2'),
    'iso that is vmdk too': ('iso', polyglot(making.vmdk()), 'several formats at once: iso, vmdk'),
    'iso that is a descriptor too': ('iso', polyglot(b'# Disk DescriptorFile\n'), 'at once: iso, vmdk'),
    'iso that is vdi too, called raw': ('raw', polyglot(making.vdi()), 'several formats at once: iso, vdi'),
    'disk that is qcow2 too': ('raw', bytes(sector(making.qcow2()[:446])) + bytes(MIB), 'at once: gpt, qcow2'),
    'qcow2 that is a disk too': ('qcow2', bytes(sector(making.qcow2()[:446])) + bytes(MIB), 'at once: gpt, qcow2'),
    'iso that is only a disk': ('iso', DISK, 'declared iso but its data is gpt'),
    'qcow2 that is raw': ('qcow2', bytes(2 * MIB), 'declared qcow2 but its data is raw'),
    'qcow2 that is a disk': ('qcow2', DISK, 'declared qcow2 but its data is gpt'),
    'qcow2 that is empty': ('qcow2', b'', 'declared qcow2 but its data is raw'),
    'qcow2 that is vmdk': ('qcow2', making.vmdk(), 'declared qcow2 but its data is vmdk'),
    'vhd that is raw': ('vhd', bytes(2 * MIB), 'declared vhd but its data is raw'),
    'iso that is raw': ('iso', bytes(64 * KIB), 'declared iso but its data is raw'),
    'backing file': ('qcow2', making.qcow2(backing=104), 'it has a backing file'),
    'backing file of v2': ('qcow2', making.qcow2(version=2, backing=72), 'it has a backing file'),
    'external data': ('qcow2', making.qcow2(features=1 << 2), 'external data file'),
    'unknown feature': ('qcow2', making.qcow2(features=1 << 7), 'features are not supported'),
    'old qcow': ('qcow2', making.qcow2(version=1), 'version or its features'),
    'cut-off header': ('qcow2', making.qcow2(length=50), 'cut off'),
    'cut-off header of v3': ('qcow2', making.qcow2(length=90), 'cut off'),
    'flat vmdk': ('vmdk', making.vmdk(kind='monolithicFlat', extent='RW 1 FLAT "passwd" 0'), 'descriptor'),
    'vmdk with a flat extent': ('vmdk', making.vmdk(extent='RW 1 FLAT "passwd" 0'), 'a single sparse one'),
    'vmdk with a path': ('vmdk', making.vmdk(extent='RW 1 SPARSE "/etc/passwd" 0'), 'descriptor'),
    'vmdk with two extents': ('vmdk', making.vmdk(extent='RW 1 SPARSE "a"\nRW 1 SPARSE "b"'), 'a single sparse one'),
    'vmdk with a parent': ('vmdk', making.vmdk(cid='12345678'), 'parent'),
    'vmdk with a named parent': ('vmdk', making.vmdk(parent='passwd'), 'parent'),
    'vmdk without descriptor': ('vmdk', making.vmdk(descriptor_at=0), 'descriptor'),
    'vmdk with a far descriptor': ('vmdk', making.vmdk(descriptor_at=10 ** 9), 'descriptor'),
    'vmdk that is a descriptor': ('vmdk', (HEAD + CREATE + ONE).ljust(2000).encode(), 'other files'),
    'vmdk of no capacity': ('vmdk', trick(HEAD + CREATE + ONE), '0 bytes'),
    'vmdk with its type in a comment': ('vmdk', trick(
        HEAD + '#' + CREATE + 'createType="monolithicFlat"\n' + ONE + '   RW 1 FLAT "other" 0\n'), 'VMDK type'),
    'vmdk with only a comment for a type': ('vmdk', trick(HEAD + '#' + CREATE + ONE, GIB), 'VMDK type'),
    'vmdk with a decoy extent': ('vmdk', trick(HEAD + CREATE + ONE + '\tRW 1 FLAT "other" 0\n'), 'single sparse'),
    'vmdk with an indented extent': ('vmdk', trick(HEAD + CREATE + ONE + '   RW 1 FLAT "other" 0\n'), 'single sparse'),
    'vmdk with two types': ('vmdk', trick(HEAD + CREATE + 'createType="vmfs"\n' + ONE, GIB), 'VMDK type'),
    'vmdk whose descriptor goes on': ('vmdk', trick((HEAD + CREATE + ONE).ljust(20 * 512) + 'RW 1 FLAT "x"', GIB),
                                      'no end'),
    'vhdx without regions': ('vhdx', b'vhdxfile' + bytes(MIB), '0 bytes'),
    'vhdx that ends early': ('vhdx', making.vhdx()[:2 * MIB], 'cut off'),
    'empty vdi': ('vdi', making.vdi(0), '0 bytes'),
    'endless qcow2': ('qcow2', making.qcow2(2 ** 63), f'disk size is {2 ** 63} bytes'),
    'endless vmdk': ('vmdk', making.vmdk(2 ** 72), f'disk size is {2 ** 72} bytes'),
    'endless vhd': ('vhd', making.vhd(2 ** 64 - 1), 'disk size is'),
    'endless vhdx': ('vhdx', making.vhdx(2 ** 63), 'disk size is'),
    'endless vdi': ('vdi', making.vdi(2 ** 63), 'disk size is'),
    'ploop': ('ploop', b'WithoutFreeSpace' + bytes(1000), 'not supported'),
    'no known format': ('docx', bytes(1000), 'declared docx but its data is raw'),
}


@pytest.mark.parametrize('cut', CUTS)
@pytest.mark.parametrize('name', BAD)
def test_bad_data_is_refused_and_told_why(name: str, cut: int) -> None:
    declared, data, why = BAD[name]
    with pytest.raises(DataRefused, match=why):
        fed(data, declared, cut=cut).finish()


@pytest.mark.parametrize('name', BAD)
def test_who_trusts_the_data_gets_its_size_if_there_is_one(name: str) -> None:
    declared, data, _ = BAD[name]
    size = fed(data, declared).virtual_size()
    assert size is None or 0 <= size < 2 ** 63 and not name.startswith('endless')


@pytest.mark.parametrize('data', [making.qcow2(backing=104, length=4 * MIB), making.vmdk(cid='1'),
                                  making.qcow2(2 ** 63, length=4 * MIB)])
def test_what_the_beginning_tells_is_refused_at_the_beginning(data: bytes) -> None:
    for declared in ('raw', 'qcow2', 'vmdk'):
        with pytest.raises(DataRefused):
            fed(data[:MIB], declared).check_beginning()


def test_nothing_is_told_before_it_is_known() -> None:
    FormatInspection('qcow2').check_beginning()
    fed(bytes(1000), 'qcow2').check_beginning()


def test_the_largest_disk_that_can_be() -> None:
    assert inspect([making.qcow2(2 ** 63 - 1)], 'qcow2') == 2 ** 63 - 1


def test_wrapped_data_is_no_disk_or_what_is_declared() -> None:
    archive = b'disk.ovf'.ljust(100, b'\0') + bytes(MIB)
    assert fed(archive, 'vmdk', container='ova').finish() is None
    assert fed(making.vmdk(), 'vmdk', container='ovf').finish() == GIB
    for data, why in ((making.qcow2(), 'data is qcow2'), (making.vmdk(cid='1'), 'parent'),
                      (b'# Disk DescriptorFile\n', 'cut off')):
        with pytest.raises(DataRefused, match=why):
            fed(data, 'vmdk', container='ova').finish()


def test_qemu_is_told_a_format() -> None:
    assert [opened_as(name) for name in ('qcow2', 'raw', 'ami', 'aki', None)] == ['qcow2', 'raw', 'raw', 'raw', 'raw']


@pytest.mark.skipif(shutil.which('qemu-img') is None, reason='needs qemu-img')
@pytest.mark.parametrize(('declared', 'kind', 'options'), [
    ('qcow2', 'qcow2', []), ('qcow2', 'qcow2', ['-o', 'compat=0.10']), ('qcow2', 'qcow2', ['-c']),
    ('vmdk', 'vmdk', []), ('vmdk', 'vmdk', ['-o', 'subformat=streamOptimized']), ('vdi', 'vdi', []),
    ('vhdx', 'vhdx', []), ('vhd', 'vpc', []), ('raw', 'raw', [])])
def test_what_qemu_makes_passes(tmp_path: pathlib.Path, declared: str, kind: str, options: list[str]) -> None:
    source, target = tmp_path / 'raw', tmp_path / 'image'
    source.write_bytes(bytes(3 * MIB) + b'end'.ljust(MIB, b'x'))
    subprocess.run(['qemu-img', 'convert', '-f', 'raw', '-O', kind, *options, str(source), str(target)], check=True,
                   capture_output=True)
    size = fed(target.read_bytes(), declared, cut=65536).finish()
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
    with pytest.raises(DataRefused):
        inspect([(tmp_path / 'image').read_bytes()], kind)
