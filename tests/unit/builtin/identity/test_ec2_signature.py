"""Signatures of EC2 requests: known ones of AWS's test suite, those of another implementation, and near misses."""

from __future__ import annotations

import base64
import calendar
import dataclasses
import hashlib
import hmac
import time
from typing import Any

import pytest

from compute.builtin.identity.ec2_signature import TTL, SignedRequest, fits

# From the public test suite of Signature Version 4.
SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
AT = calendar.timegm((2015, 8, 30, 12, 36, 0))
EMPTY = hashlib.sha256(b'').hexdigest()
SIGNATURE = '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'


def vanilla(signature: str = SIGNATURE, **changes: Any) -> SignedRequest:
    scope = 'AKIDEXAMPLE/20150830/us-east-1/service/aws4_request'
    return SignedRequest.of({
        'access': 'AKIDEXAMPLE', 'signature': signature, 'host': 'example.amazonaws.com', 'verb': 'GET', 'path': '/',
        'params': {}, 'body_hash': EMPTY, 'headers': {
            'Host': 'example.amazonaws.com', 'X-Amz-Date': '20150830T123600Z',
            'Authorization': f'AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, '
                             f'Signature={signature}'}, **changes})


def test_known_signatures() -> None:
    assert fits(SECRET, vanilla(), AT)
    query = vanilla('b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
                    params={'Param2': 'value2', 'Param1': 'value1'})
    assert fits(SECRET, query, AT)


@pytest.mark.parametrize('changes', [
    {'access': 'OTHER'}, {'signature': 'x'}, {'verb': 'POST'}, {'path': '/x'}, {'params': {'a': 'b'}},
    {'body_hash': 'x'}, {'headers': {}}, {'host': 'x', 'headers': {'X-Amz-Date': '20150830T123600Z'}}])
def test_anything_else_does_not_fit(changes: dict[str, Any]) -> None:
    assert not fits(SECRET, vanilla(**changes), AT)


def test_other_secrets_and_times_do_not_fit() -> None:
    assert not fits(SECRET + 'x', vanilla(), AT)
    assert fits(SECRET, vanilla(), AT + TTL) and fits(SECRET, vanilla(), AT - TTL)
    assert not fits(SECRET, vanilla(), AT + TTL + 1) and not fits(SECRET, vanilla(), AT - TTL - 1)


@pytest.mark.parametrize(('old', 'new'), [
    ('SignedHeaders=host;x-amz-date', 'SignedHeaders=x-amz-date'),
    ('SignedHeaders=host;x-amz-date', 'SignedHeaders=host'),
    ('/20150830/', '/20150829/'), ('aws4_request', 'other'), ('/service', ''), ('AWS4-HMAC-SHA256', 'AWS3'),
    ('Credential=', 'X=')])
def test_headers_that_are_not_sound(old: str, new: str) -> None:
    request = vanilla()
    header = request.headers['authorization'].replace(old, new)
    assert not fits(SECRET, dataclasses.replace(request, headers={**request.headers, 'authorization': header}), AT)


@pytest.mark.parametrize('date', ['', 'x', '20150830', '20151330T123600Z', '2015-08-30T12:36:00Z'])
def test_dates_that_are_none(date: str) -> None:
    request = vanilla()
    assert not fits(SECRET, dataclasses.replace(request, headers={**request.headers, 'x-amz-date': date}), AT)


def other_signer(data: dict[str, Any], secret: str) -> str:
    utils = pytest.importorskip('keystoneclient.contrib.ec2.utils')
    return str(utils.Ec2Signer(secret).generate(data))


@pytest.mark.parametrize('host', ['cloud.example.org:8788', 'cloud.example.org'])
def test_version_2(host: str) -> None:
    stamp = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(AT))
    data: dict[str, Any] = {'access': 'k', 'host': 'cloud.example.org', 'verb': 'GET', 'path': '/services/Cloud',
                            'params': {'SignatureVersion': '2', 'SignatureMethod': 'HmacSHA256', 'AWSAccessKeyId': 'k',
                                       'Timestamp': stamp, 'Action': 'Describe It', 'a-b': '~', 'a': '*'}}
    data['signature'] = other_signer({**data, 'params': dict(data['params'])}, 's')
    request = SignedRequest.of({**data, 'host': host})
    assert fits('s', request, AT) and not fits('t', request, AT) and not fits('s', request, AT + TTL + 1)
    both = {**request.params, 'Expires': stamp}
    assert not fits('s', dataclasses.replace(request, params=both), AT)


def test_version_2_with_sha1() -> None:
    params = {'SignatureVersion': '2', 'SignatureMethod': 'HmacSHA1', 'Expires': '2015-08-30T12:40:00Z'}
    text = 'GET\nh\n/\nExpires=2015-08-30T12%3A40%3A00Z&SignatureMethod=HmacSHA1&SignatureVersion=2'
    signature = base64.b64encode(hmac.digest(b's', text.encode(), 'sha1')).decode()
    request = SignedRequest('k', signature, 'h', params=params)
    assert fits('s', request, AT) and not fits('s', request, AT + 300) and not fits('s', request, AT - TTL)
    assert not fits('s', dataclasses.replace(request, params={**params, 'SignatureMethod': 'None'}), AT)
    assert not fits('s', dataclasses.replace(request, params={**params, 'AWSAccessKeyId': 'other'}), AT)


@pytest.mark.parametrize('verb', ['GET', 'POST'])
def test_version_4_of_another_implementation(verb: str) -> None:
    headers = {'host': 'cloud.example.org:8788', 'X-Amz-Date': '20150830T123600Z', 'content-type': 'a b',
               'Authorization': 'AWS4-HMAC-SHA256 Credential=k/20150830/RegionOne/ec2/aws4_request, '
                                'SignedHeaders=content-type;host;x-amz-date, Signature='}
    data: dict[str, Any] = {'access': 'k', 'host': 'cloud.example.org:8788', 'verb': verb, 'path': '/',
                            'params': {'Action': 'DescribeInstances', 'Version': '2016-11-15'}, 'headers': headers,
                            'body_hash': hashlib.sha256(b'Action=DescribeInstances').hexdigest()}
    data['signature'] = other_signer({**data, 'params': dict(data['params'])}, 's')
    headers['Authorization'] += data['signature']
    assert fits('s', SignedRequest.of(data), AT) and not fits('t', SignedRequest.of(data), AT)


@pytest.mark.parametrize(('lives', 'after', 'good'), [('60', 60, True), ('60', 61, False), ('604800', TTL, True),
                                                      ('604800', TTL + 1, False), ('x', 0, False), ('-1', 0, False)])
def test_signed_urls_end(lives: str, after: int, good: bool) -> None:
    params = {'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Credential': 'k/20150830/RegionOne/ec2/aws4_request',
              'X-Amz-Date': '20150830T123600Z', 'X-Amz-SignedHeaders': 'host', 'X-Amz-Expires': lives}
    data: dict[str, Any] = {'access': 'k', 'host': 'h', 'verb': 'GET', 'path': '/', 'params': params,
                            'headers': {'host': 'h'}, 'body_hash': 'UNSIGNED-PAYLOAD'}
    data['signature'] = other_signer({**data, 'params': dict(params), 'headers': {'host': 'h'}}, 's')
    signed = SignedRequest.of({**data, 'params': {**params, 'X-Amz-Signature': data['signature']}})
    assert fits('s', signed, AT + after) is good


@pytest.mark.parametrize('version', ['0', '1', '3', ''])
def test_other_versions_are_refused(version: str) -> None:
    request = SignedRequest('k', 'x', 'h', params={'SignatureVersion': version, 'Timestamp': '2015-08-30T12:36:00Z'})
    assert not fits('s', request, AT)
