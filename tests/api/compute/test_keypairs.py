"""Key pairs over HTTP, at both sides of every version that changed them."""

from __future__ import annotations

import base64
import datetime
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from compute.api import keypair_crypto as crypto
from tests.api.compute.compute_cloud import ADMIN, MEMBER, OTHER, ComputeApi
from tests.waiting import LONG

RSA = ('ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDB8JQvVjC0pVsrvMdi/2asJSwlxzQxlN0K5Yz5n0KHVvKXo8bJ5lVoyMHhW6cKpk8D1Z1Q'
       'kGKb1KXm0Qf9m0K3bYqN8b9Q6ZQ6QGJ5Jc4v8m0mY0p0cQ== x')


def ed25519_line(comment: str = 'ann@here') -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    return f'{line} {comment}'


def certificate() -> str:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'ann')])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1)).sign(
        key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def add(api: ComputeApi, name: str = 'k1', *, version: str | None = None, token: str = MEMBER, status: int = 200,
        **values: Any) -> Any:
    body = {'name': name, 'public_key': ed25519_line(), **values}
    return api('POST', '/os-keypairs', {'keypair': body}, version=version, token=token, status=status)


def names(answer: dict[str, Any]) -> list[str]:
    return [entry['keypair']['name'] for entry in answer['keypairs']]


def test_import_and_show(api: ComputeApi) -> None:
    line = ed25519_line()
    made = add(api, public_key=line + '\n')['keypair']
    assert set(made) == {'name', 'public_key', 'fingerprint', 'user_id'}
    assert (made['public_key'], made['user_id']) == (line, 'ann')
    assert len(made['fingerprint'].split(':')) == 16
    shown = api('GET', '/os-keypairs/k1', status=200)['keypair']
    assert shown['fingerprint'] == made['fingerprint']
    assert {'id', 'created_at', 'updated_at', 'deleted', 'deleted_at'} <= set(shown)
    assert 'type' not in shown


def test_type_from_2_2(api: ComputeApi) -> None:
    assert add(api, version='2.2', status=201)['keypair']['type'] == 'ssh'
    assert api('GET', '/os-keypairs', version='2.2')['keypairs'][0]['keypair']['type'] == 'ssh'
    assert 'type' not in api('GET', '/os-keypairs', version='2.1')['keypairs'][0]['keypair']
    add(api, 'k2', version='2.1', status=400, type='ssh')


def test_status_of_delete(api: ComputeApi) -> None:
    add(api)
    assert api('DELETE', '/os-keypairs/k1', version='2.1', status=202) is None
    add(api)
    assert api('DELETE', '/os-keypairs/k1', version='2.2', status=204) is None
    assert api('DELETE', '/os-keypairs/k1', version='2.2', status=404)['itemNotFound']['message'] == (
        'Keypair k1 not found for user ann')


def test_made_pairs(api: ComputeApi) -> None:
    made = api('POST', '/os-keypairs', {'keypair': {'name': 'k1'}}, status=200)['keypair']
    private = serialization.load_pem_private_key(made['private_key'].encode(), None)
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert made['public_key'].startswith(public.decode())
    assert 'private_key' not in api('GET', '/os-keypairs/k1')['keypair']
    body = {'keypair': {'name': 'k2', 'type': 'x509'}}
    made = api('POST', '/os-keypairs', body, version='2.2', status=201)['keypair']
    read = x509.load_pem_x509_certificate(made['public_key'].encode())
    assert read.fingerprint(hashes.SHA1()).hex() == made['fingerprint'].replace(':', '')


def test_public_key_is_required_from_2_92(api: ComputeApi) -> None:
    api('POST', '/os-keypairs', {'keypair': {'name': 'k1'}}, version='2.92', status=400)
    api('POST', '/os-keypairs', {'keypair': {'name': 'k1'}}, version='2.91', status=201)


@pytest.mark.parametrize(('name', 'before', 'after'), [
    ('a.b@c', 400, 201), ('a-b_c d', 201, 201), ('a/b', 400, 400), (' a', 400, 400), ('', 400, 400),
    ('x' * 256, 400, 400)])
def test_names(api: ComputeApi, name: str, before: int, after: int) -> None:
    add(api, name, version='2.91', status=before)
    if after != before:
        add(api, name, version='2.92', status=after)


def test_certificates(api: ComputeApi) -> None:
    made = add(api, version='2.2', status=201, type='x509', public_key=certificate())['keypair']
    assert len(made['fingerprint'].split(':')) == 20


@pytest.mark.parametrize('key', ['nonsense', 'ssh-rsa', 'ssh-rsa !!!', 'ssh-rsa AAAA', RSA, 'x' * 16385,
                                 'ssh-ed25519 ' + RSA.split()[1]])
def test_bad_keys(api: ComputeApi, key: str) -> None:
    add(api, public_key=key, status=400)


def _rsa(*parts: bytes) -> str:
    blob = b''.join(len(part).to_bytes(4, 'big') + part for part in (b'ssh-rsa', *parts))
    return f'ssh-rsa {base64.b64encode(blob).decode()}'


@pytest.mark.parametrize(('kind', 'key'), [
    ('ssh', _rsa(b'abc', b'q')), ('x509', 'x'),
    ('x509', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')])
def test_a_refused_key_shows_no_words_of_the_library(api: ComputeApi, kind: str, key: str) -> None:
    refused = add(api, version='2.2', status=400, type=kind, public_key=key)['badRequest']['message']
    assert refused.startswith('Keypair data is invalid: failed to generate fingerprint: it')
    assert not [word for word in ('http', 'Parse', '>=', 'Framing') if word in refused], refused


def test_a_key_is_no_certificate(api: ComputeApi) -> None:
    add(api, version='2.2', status=400, type='x509', public_key=ed25519_line())


def test_a_name_is_taken_once_for_each_user(api: ComputeApi) -> None:
    add(api)
    assert add(api, status=409)['conflictingRequest']['message'] == "Key pair 'k1' already exists."
    add(api, token=OTHER)
    assert names(api('GET', '/os-keypairs')) == ['k1']


def test_other_users(api: ComputeApi) -> None:
    add(api, version='2.10', status=201, token=ADMIN, user_id='ann')
    assert names(api('GET', '/os-keypairs')) == ['k1']
    assert names(api('GET', '/os-keypairs?user_id=ann', version='2.10', token=ADMIN)) == ['k1']
    assert names(api('GET', '/os-keypairs?user_id=ann', version='2.9', token=ADMIN)) == []
    assert api('GET', '/os-keypairs/k1?user_id=ann', version='2.10', token=ADMIN)['keypair']['user_id'] == 'ann'
    api('GET', '/os-keypairs?user_id=ann', version='2.10', token=OTHER, status=403)
    api('DELETE', '/os-keypairs/k1?user_id=ann', version='2.10', token=OTHER, status=403)
    add(api, version='2.10', status=403, token=OTHER, user_id='ann')
    add(api, version='2.9', status=400, token=ADMIN, user_id='ann')
    api('DELETE', '/os-keypairs/k1?user_id=ann', version='2.10', token=ADMIN, status=204)


def test_pages_from_2_35(api: ComputeApi) -> None:
    for name in 'cab':
        add(api, name)
    assert names(api('GET', '/os-keypairs?limit=1', version='2.34')) == ['a', 'b', 'c']
    answer = api('GET', '/os-keypairs?limit=2', version='2.35')
    assert names(answer) == ['a', 'b']
    assert answer['keypairs_links'] == [{'rel': 'next', 'href': 'http://localhost/v2.1/os-keypairs?limit=2&marker=b'}]
    assert names(api('GET', '/os-keypairs?limit=2&marker=b', version='2.35')) == ['c']
    api('GET', '/os-keypairs?marker=z', version='2.35', status=400)


def test_no_number_of_requests_at_once_passes_the_quota(api: ComputeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(8)  # none is written before each has passed the first look at the quota

    def slowly() -> tuple[str, str]:
        together.wait(LONG)
        return ed25519_line(), 'private'
    monkeypatch.setattr(crypto, 'make_ssh', slowly)
    api.conf.set_override('key_pairs', 2, 'quota')
    body = [{'keypair': {'name': f'k{number}'}} for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: api.send('POST', '/v2.1/os-keypairs', each).status_int, body))
    assert sorted(answers) == [200] * 2 + [403] * 6
    assert len(names(api('GET', '/os-keypairs'))) == 2


def test_a_users_limit_does_not_lift_the_projects(api: ComputeApi) -> None:
    api('PUT', '/os-quota-sets/p1?user_id=ann', {'quota_set': {'key_pairs': 5, 'force': True}}, token=ADMIN, status=200)
    api('PUT', '/os-quota-sets/p1', {'quota_set': {'key_pairs': 1, 'force': True}}, token=ADMIN, status=200)
    add(api)
    assert add(api, 'k2', status=403)['forbidden']['reason'] == 'over_quota'


def test_quota(api: ComputeApi) -> None:
    api.conf.set_override('key_pairs', 1, 'quota')
    add(api)
    assert add(api, 'k2', status=403) == {
        'forbidden': {'code': 403, 'message': 'Quota exceeded, too many key pairs.', 'reason': 'over_quota',
                      'retryable': False}}


@pytest.mark.parametrize('version', ['2.1', '2.2', '2.91', '2.92'])
@pytest.mark.parametrize('value', [None, '', 7])
def test_no_pair_is_made_for_a_key_that_is_none(api: ComputeApi, version: str, value: Any) -> None:
    answer = add(api, version=version, public_key=value, status=400)
    assert 'public_key' in answer['badRequest']['message']
    answer = api.send('POST', '/v2/os-keypairs', {'keypair': {'name': 'k', 'public_key': value}}, token=MEMBER)
    assert answer.status_int == 400
    assert names(api('GET', '/os-keypairs')) == []


@pytest.mark.parametrize(('length', 'status'), [(64, 201), (65, 201), (255, 201), (256, 400)])
def test_a_user_is_named_alike_in_body_and_query(api: ComputeApi, length: int, status: int) -> None:
    user = 'u' * length
    add(api, version='2.10', token=ADMIN, status=status, user_id=user)
    for path in ('/os-keypairs', '/os-keypairs/k1'):
        api('GET', f'{path}?user_id={user}', version='2.10', token=ADMIN, status=200 if status == 201 else 400)
    api('DELETE', f'/os-keypairs/k1?user_id={user}', version='2.10', token=ADMIN, status=204 if status == 201 else 400)
