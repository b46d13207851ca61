"""Idempotency-Key on the Network API."""

from __future__ import annotations

from typing import Any

import pytest
import webob

from compute.rest.idempotency import REPLAYED
from tests.api.network.serving import Site


def post(site: Site, path: str, body: Any, key: str = 'once') -> webob.Response:
    """Send a request with a key."""
    request = webob.Request.blank(f'/v2.0{path}', method='POST', headers={
        'X-Auth-Token': 'demo', 'Idempotency-Key': key})
    request.json_body = body
    return request.get_response(site.wsgi)


@pytest.mark.parametrize(('path', 'noun', 'values'), [
    ('/networks', 'network', {'name': 'n'}),
    ('/ports', 'port', {'name': 'p'}),
    ('/security-groups', 'security_group', {'name': 'g'}),
    ('/networks', 'networks', [{'name': 'a'}, {'name': 'b'}]),
])
def test_a_post_that_comes_again_makes_nothing(site: Site, path: str, noun: str, values: Any) -> None:
    if noun == 'port':
        values = {**values, 'network_id': site.network()['id']}
    first = post(site, path, {noun: values})
    assert first.status_int == 201, first.text
    before = site.get(path)
    again = post(site, path, {noun: values})
    assert (again.status_int, again.body) == (201, first.body) and REPLAYED in again.headers
    assert site.get(path) == before
    other = post(site, path, {noun: []})
    assert other.status_int == 409 and 'another request' in other.text


def test_a_refusal_leaves_the_key_free(site: Site) -> None:
    network = site.network()
    site.subnet(network, '10.0.0.0/24')
    asked = {'subnet': {'network_id': network['id'], 'cidr': '10.0.0.0/24', 'ip_version': 4}}
    assert post(site, '/subnets', asked).status_int == 400
    site.delete(f'/subnets/{site.get("/subnets")["subnets"][0]["id"]}')
    assert post(site, '/subnets', asked).status_int == 201
