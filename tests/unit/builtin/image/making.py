"""Tiny disk images by hand, as small as their headers allow."""

from __future__ import annotations

import struct
import uuid

KIB, MIB, GIB = 1024, 1024 ** 2, 1024 ** 3


def qcow2(size: int = GIB, *, version: int = 3, backing: int = 0, features: int = 0, length: int = 4096) -> bytes:
    header = struct.pack('>4sIQIIQ', b'QFI\xfb', version, backing, 0, 16, size)
    header += struct.pack('>IIQQIIQ', 0, 0, 0, 0, 0, 0, 0)[:72 - len(header)].ljust(72 - len(header), b'\0')
    if version == 3:
        header += struct.pack('>QQQII', features, 0, 0, 4, 104)
    return header.ljust(length, b'\0')[:length]


def vmdk(size: int = GIB, *, kind: str = 'monolithicSparse', extent: str = 'RW 2097152 SPARSE "a.vmdk"',
         parent: str = '', cid: str = 'ffffffff', descriptor_at: int = 1) -> bytes:
    text = f'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID={cid}\ncreateType="{kind}"\n{extent}\n'
    if parent:
        text += f'parentFileNameHint="{parent}"\n'
    header = struct.pack('<4sIIQQQQ', b'KDMV', 1, 3, size // 512, 128, descriptor_at, 20).ljust(512, b'\0')
    return header + text.encode().ljust(20 * 512, b'\0') + bytes(MIB)


def vhd(size: int = GIB, *, kind: int = 3, data: int = 0) -> bytes:
    footer = struct.pack('>8sIIQI4sIIQQII', b'conectix', 2, 0x10000, 512, 0, b'qemu', 0, 0, size, size, 0, kind)
    footer = footer.ljust(512, b'\0')
    return bytes(data) + footer if kind == 2 else footer + bytes(1024) + footer


def vhdx(size: int = GIB, *, parent: bool = False, metadata_at: int = 2 * MIB) -> bytes:
    data = bytearray(metadata_at + 128 * KIB)
    data[:8] = b'vhdxfile'
    region = uuid.UUID('8B7CA206-4790-4B9A-B8FE-575F050F886E').bytes_le
    entry = region + struct.pack('<QII', metadata_at, MIB, 1)
    data[192 * KIB:192 * KIB + 48] = struct.pack('<4sIII', b'regi', 0, 1, 0) + entry
    items = [(uuid.UUID('CAA16737-FA36-4D43-B3B6-33F0AA44E76B'), 64 * KIB,
              struct.pack('<II', MIB, 2 if parent else 0)),
             (uuid.UUID('2FA54224-CD1B-4876-B211-5DBED83BF4B8'), 64 * KIB + 8, struct.pack('<Q', size))]
    data[metadata_at:metadata_at + 12] = struct.pack('<8sHH', b'metadata', 0, len(items))
    for number, (item, offset, value) in enumerate(items):
        start = metadata_at + 32 + 32 * number
        data[start:start + 32] = item.bytes_le + struct.pack('<IIII', offset, len(value), 0, 0)
        data[metadata_at + offset:metadata_at + offset + len(value)] = value
    return bytes(data)


def vdi(size: int = GIB, *, kind: int = 1) -> bytes:
    data = bytearray(4096)
    data[:40] = b'<<< Oracle VM VirtualBox Disk Image >>>\n'
    data[0x40:0x44], data[0x4C:0x50] = struct.pack('<I', 0xBEDA107F), struct.pack('<I', kind)
    data[0x170:0x178] = struct.pack('<Q', size)
    return bytes(data)


def iso(length: int = 64 * KIB) -> bytes:
    data = bytearray(length)
    data[32768:32774] = b'\x01CD001'
    return bytes(data)
