"""Certificates that are about to end: of HTTPS endpoints' authorities, of the broker, and of libvirt."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from cryptography import x509
from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, warning
from compute.cmd.doctor.machine import Machine

SOON = datetime.timedelta(days=30)
LIBVIRT = ('/etc/pki/CA/cacert.pem', '/etc/pki/libvirt/servercert.pem', '/etc/pki/libvirt/clientcert.pem',
           '/etc/pki/qemu/ca-cert.pem', '/etc/pki/qemu/server-cert.pem')


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Look at each certificate that the configuration names, and at those where libvirt looks for its own."""
    found = 0
    for where, path, needed in _files(conf):
        text = machine.read(path)
        if text is None:
            if needed:
                yield failure(f'{path} ({where}) cannot be read', f'put the certificate there, or correct {where}')
            continue
        found += 1
        yield _judged(where, path, text)
    if not found:
        yield fine('no certificate is configured')


def _files(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str, bool]]:
    if conf.service_user.cafile:
        yield '[service_user] cafile', conf.service_user.cafile, True
    for option in ('ssl_ca_file', 'ssl_cert_file'):
        if 'oslo_messaging_rabbit' in conf and (path := conf.oslo_messaging_rabbit.get(option)):
            yield f'[oslo_messaging_rabbit] {option}', path, True
    for path in LIBVIRT:
        yield 'libvirt', path, False


def _judged(where: str, path: str, text: str) -> Diagnosis:
    try:
        ends = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(text.encode()))
    except ValueError:
        return failure(f'{path} ({where}) has no certificate in PEM form', f'correct {where}')
    left = ends - datetime.datetime.now(datetime.UTC)
    if left < datetime.timedelta(0):
        return failure(f'{path} ({where}) has ended on {ends:%Y-%m-%d}', 'replace it')
    if left < SOON:
        return warning(f'{path} ({where}) ends in {left.days} days, on {ends:%Y-%m-%d}', 'replace it')
    return fine(f'{path} ({where}) ends on {ends:%Y-%m-%d}')
