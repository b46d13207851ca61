"""Reads public keys that users import, and makes key pairs for those who may still ask for it (to 2.91)."""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import struct

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from compute.concurrency import offload
from compute.exception import Invalid

_BITS = 2048
_UPN = x509.ObjectIdentifier('1.3.6.1.4.1.311.20.2.3')
_TYPES = ('ssh-rsa', 'ssh-dss', 'ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521',
          'sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com')
# Types whose inside is looked at too; the others have no such reader here or need hardware to mean anything.
_READ = _TYPES[0:1] + _TYPES[2:6]


def ssh_fingerprint(public_key: str) -> str:
    """Return the MD5 fingerprint of an OpenSSH public key. :raises Invalid: it is none."""
    parts = public_key.split(None, 2)
    if len(parts) < 2 or parts[0] not in _TYPES or '\n' in public_key.strip():
        raise _bad('it is not "TYPE BASE64 COMMENT" in one line, of one of the types ' + ', '.join(_TYPES))
    try:
        blob = base64.b64decode(parts[1], validate=True)
        named = blob[4:4 + struct.unpack('>I', blob[:4])[0]].decode()
    except (binascii.Error, struct.error, UnicodeDecodeError):
        raise _bad('its second part is not base64 of a key') from None
    if named != parts[0]:
        raise _bad('its second part is a key of another type than the first part says')
    if named in _READ:
        try:
            serialization.load_ssh_public_key(' '.join(parts[:2]).encode())
        except (ValueError, UnsupportedAlgorithm):
            raise _bad(f'its second part is no valid key of the type {named}') from None
    return _pairs(hashlib.md5(blob, usedforsecurity=False).hexdigest())


def x509_fingerprint(certificate: str) -> str:
    """Return the SHA-1 fingerprint of a PEM certificate. :raises Invalid: it is none."""
    try:
        read = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        raise _bad('it is no certificate in PEM') from None
    return _pairs(read.fingerprint(hashes.SHA1()).hex())


def make_ssh() -> tuple[str, str]:
    """Return (public key, private key) of a new RSA pair."""
    key = _make_rsa()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f'{public.decode()} generated-by-compute', _pem(key, serialization.PrivateFormat.TraditionalOpenSSL)


def make_x509(user_id: str) -> tuple[str, str]:
    """Return (certificate, private key): a client certificate that names the user, as Windows guests want it."""
    key = _make_rsa()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    principal = f'{user_id[:100]}@localhost'.encode()
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=x509.random_serial_number(),
        not_valid_before=now, not_valid_after=now + datetime.timedelta(days=3650))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(
        [x509.OtherName(_UPN, b'\x0c' + bytes([len(principal)]) + principal)]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    return (certificate.public_bytes(serialization.Encoding.PEM).decode(),
            _pem(key, serialization.PrivateFormat.PKCS8))


def _make_rsa() -> rsa.RSAPrivateKey:
    """Looking for primes takes a while and holds no lock: it goes to a real thread."""
    return offload(rsa.generate_private_key, public_exponent=65537, key_size=_BITS)


def _pem(key: rsa.RSAPrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _pairs(digest: str) -> str:
    return ':'.join(digest[place:place + 2] for place in range(0, len(digest), 2))


def _bad(why: str) -> Invalid:
    return Invalid(f'Keypair data is invalid: failed to generate fingerprint: {why}', code='bad_public_key')
