"""The certificate of one transfer. No authority signs it: the destination knows its fingerprint from the offer."""

from __future__ import annotations

import datetime
import hashlib
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'compute disk transfer')])
_DAY = datetime.timedelta(days=1)


def server_context(lifetime: float) -> tuple[ssl.SSLContext, str]:
    """Return a context with a new key and certificate, and the fingerprint of the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(_NAME).issuer_name(_NAME).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - _DAY)
        .not_valid_after(now + datetime.timedelta(seconds=lifetime) + _DAY).sign(key, hashes.SHA256()))
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # no session is resumed: the token is presented on each connection
    _load(context, certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return context, fingerprint(certificate.public_bytes(serialization.Encoding.DER))


def client_context() -> ssl.SSLContext:
    """Return a context that accepts every certificate: the caller compares the fingerprint before it sends anything."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fingerprint(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in DER, in hexadecimal digits."""
    return hashlib.sha256(certificate).hexdigest()


def _context(protocol: int) -> ssl.SSLContext:
    """Return a context in which a connection that was cut off does not look like one that ended in good order."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options &= ~getattr(ssl, 'OP_IGNORE_UNEXPECTED_EOF', 0)  # of OpenSSL 3, which Python sets
    return context


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Give the context its chain, which ``ssl`` reads from files only: from one in memory, so that no disk has the
    key."""
    descriptor = os.memfd_create('compute-transfer', os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pem)
        context.load_cert_chain(f'/proc/self/fd/{descriptor}')
    finally:
        os.close(descriptor)
