"""The URL that links begin with, through the pipelines of api-paste.ini."""

from __future__ import annotations

from typing import Any

import pytest
import webob
from oslo_config import cfg

from compute import conf as options
from compute.http.reader import REFUSAL
from compute.rest import app
from compute.service import default_paste

GROUPS = {'compute': 'api', 'identity': 'identity', 'image': 'image', 'network': 'network'}
FORWARDED = {'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'cloud.example', 'X-Forwarded-Prefix': '/x'}


def shown(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer with what links are made of, or with the refusal."""
    refusal = environ.get(REFUSAL)
    text = refusal.message if refusal else f'{webob.Request(environ).application_url} {environ.get("REMOTE_ADDR")}'
    return webob.Response(text, status=400 if refusal else 200)(environ, start_response)


@pytest.fixture(params=GROUPS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(name: str, headers: dict[str, str] | None = None, *, proxy: bool = False,
        public: str | None = None) -> webob.Response:
    """Send a request through the pipeline of an API."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project='compute', default_config_files=[], default_config_dirs=[])
    if public is not None:
        conf.set_override('public_endpoint', public, GROUPS[name])
    from oslo_middleware import http_proxy_to_wsgi
    conf.register_opts(http_proxy_to_wsgi.OPTS, group='oslo_middleware')
    conf.set_override('enable_proxy_headers_parsing', proxy, 'oslo_middleware')
    pipeline = app.load(default_paste(), name, app.Lent(conf, {name: shown}, lambda token: {}))
    request = webob.Request.blank('/v2', base_url='http://inside:8774', headers=headers or {},
                                  environ={'REMOTE_ADDR': '192.0.2.1'})
    return request.get_response(pipeline)


def test_links_begin_with_the_host_unless_told_otherwise(name: str) -> None:
    assert ask(name, FORWARDED).text == 'http://inside:8774 192.0.2.1'


def test_a_proxy_says_where_it_is_seen(name: str) -> None:
    assert ask(name, FORWARDED, proxy=True).text == 'https://cloud.example/x 192.0.2.1'


@pytest.mark.parametrize('proxy', [True, False])
@pytest.mark.parametrize('url', ['https://cloud.example/x', 'https://cloud.example/x/'])
def test_the_public_endpoint_wins(name: str, proxy: bool, url: str) -> None:
    headers = {'Host': 'evil.example', 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Prefix': '/evil'}
    assert ask(name, headers, proxy=proxy, public=url).text == 'https://cloud.example/x 192.0.2.1'


@pytest.mark.parametrize(('header', 'value', 'word'), [
    ('X-Forwarded-Host', 'a"><script>', 'host'), ('X-Forwarded-Host', 'a/b', 'host'),
    ('X-Forwarded-Proto', 'javascript', 'scheme'), ('X-Forwarded-Prefix', 'x', 'prefix'),
    ('X-Forwarded-Prefix', '/<b>', 'prefix'), ('Forwarded', 'host=a/b', 'host')])
def test_what_a_proxy_passes_on_unchecked_is_refused(header: str, value: str, word: str) -> None:
    answer = ask('compute', {header: value}, proxy=True)
    assert answer.status_int == 400 and word in answer.text


@pytest.mark.parametrize(('headers', 'address'), [
    ({'X-Forwarded-For': '198.51.100.9'}, '198.51.100.9'),
    ({'X-Forwarded-For': '10.9.9.9, 198.51.100.9'}, '198.51.100.9'),
    ({'X-Forwarded-For': 'unknown'}, '192.0.2.1'),
    ({'X-Forwarded-For': '::ffff:198.51.100.9'}, '198.51.100.9'),
    ({'Forwarded': 'for="[::ffff:c633:6409]:4711"'}, '198.51.100.9'),
    ({'Forwarded': 'for="[2001:db8::1]:4711";host=cloud.example'}, '2001:db8::1'),
    ({'Forwarded': 'for=10.9.9.9;host=cloud.example, for=198.51.100.9'}, '198.51.100.9'),
    ({'Forwarded': 'for=10.9.9.9, For="198.51.100.9:4711";proto=http'}, '198.51.100.9'),
    ({'Forwarded': 'for=10.9.9.9, proto=http'}, '192.0.2.1'), ({}, '192.0.2.1')])
def test_the_client_is_who_the_proxy_saw(headers: dict[str, str], address: str) -> None:
    assert ask('compute', headers, proxy=True).text.split()[-1] == address


def test_of_several_proxies_the_first_says_where_it_is_seen() -> None:
    headers = {'X-Forwarded-Proto': 'https, http', 'X-Forwarded-Host': 'cloud.example, inside'}
    assert ask('compute', headers, proxy=True).text.split()[0] == 'https://cloud.example'
