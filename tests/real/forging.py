"""Frames as bytes, also such as no honest guest sends."""

from __future__ import annotations

import ipaddress
import struct

from compute.builtin.network.agent.linux import spoofing

EVERYBODY = b'\xff' * 6


def mac(text: str) -> bytes:
    """Return a MAC as bytes."""
    return bytes.fromhex(text.replace(':', ''))


def link_local(text: str) -> bytes:
    """Return the link-local address of a MAC as bytes."""
    return ipaddress.IPv6Address(spoofing.link_local(text)).packed


def arp(source: bytes, claimed: bytes, address: str) -> bytes:
    """Return a broadcast ARP reply that says that ``address`` is at ``claimed``."""
    packed = ipaddress.IPv4Address(address).packed
    return EVERYBODY + source + b'\x08\x06' + struct.pack('>HHBBH', 1, 0x0800, 6, 4, 2) + (
        claimed + packed + EVERYBODY + packed) + bytes(18)


def udp(source: bytes, address: str, sport: int, dport: int) -> bytes:
    """Return a broadcast UDP packet."""
    header = struct.pack('>BBHHHBBH', 0x45, 0, 36, 1, 0, 64, 17, 0)
    header += ipaddress.IPv4Address(address).packed + b'\xff' * 4
    total = sum(struct.unpack('>10H', header))
    total = (total & 0xffff) + (total >> 16)
    header = header[:10] + struct.pack('>H', ~(total + (total >> 16)) & 0xffff) + header[12:]
    return EVERYBODY + source + b'\x08\x00' + header + struct.pack('>HHHH', sport, dport, 16, 0) + bytes(8)


def icmp6(source: bytes, address: bytes, kind: int, target: bytes = bytes(16)) -> bytes:
    """Return an ICMPv6 packet of neighbor discovery to all nodes."""
    body = struct.pack('>BBHI', kind, 0, 0, 0x20000000) + target
    return _ip6(source, address, 58, body[:2] + _checksum(address, 58, body) + body[4:])


def udp6(source: bytes, address: bytes, sport: int, dport: int) -> bytes:
    """Return a UDP packet to all nodes."""
    body = struct.pack('>HHHH', sport, dport, 16, 0) + bytes(8)
    return _ip6(source, address, 17, body[:6] + _checksum(address, 17, body) + body[8:])


def tagged(frame: bytes) -> bytes:
    """Return a frame with a VLAN tag."""
    return frame[:12] + b'\x81\x00\x00\x05' + frame[12:]


def _all_nodes() -> bytes:
    return ipaddress.IPv6Address('ff02::1').packed


def _ip6(source: bytes, address: bytes, protocol: int, body: bytes) -> bytes:
    header = struct.pack('>IHBB', 0x60000000, len(body), protocol, 255) + address + _all_nodes()
    return b'\x33\x33\x00\x00\x00\x01' + source + b'\x86\xdd' + header + body


def _checksum(address: bytes, protocol: int, body: bytes) -> bytes:
    data = address + _all_nodes() + struct.pack('>II', len(body), protocol) + body + bytes(len(body) % 2)
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack('>H', ~total & 0xffff)
