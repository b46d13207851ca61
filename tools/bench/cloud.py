"""The cloud under load: logs in as its administrator, makes servers and watches them, with plain HTTP."""

from __future__ import annotations

import pathlib
import time
from typing import Any

import requests
import yaml
from measure import Times, together

TIMEOUT = 120


class Cloud:
    """A stack that runs (tools/stack.sh --fake)."""

    def __init__(self, folder: pathlib.Path) -> None:
        auth = yaml.safe_load((folder / 'clouds.yaml').read_text())['clouds']['admin']['auth']
        self._login = {'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {
                'name': auth['username'], 'password': auth['password'], 'domain': {'id': 'default'}}}},
            'scope': {'project': {'name': auth['project_name'], 'domain': {'id': 'default'}}}}}
        self._tokens_url = f'{auth["auth_url"]}/auth/tokens'
        answer = self.log_in(requests.Session())
        self.headers = {'X-Auth-Token': answer.headers['X-Subject-Token'], 'X-OpenStack-Nova-API-Version': '2.93'}
        self.urls = {service['type']: next(
            point['url'] for point in service['endpoints'] if point['interface'] == 'public')
            for service in answer.json()['token']['catalog']}
        self.flavor = self._find('compute', '/flavors', 'flavors', 'm1.nano')
        self.image = self._find('image', '/v2/images', 'images', 'debian-tiny')
        self._network = ''

    def log_in(self, session: requests.Session) -> requests.Response:
        """Get a token by password."""
        return checked(session.post(self._tokens_url, json=self._login, timeout=TIMEOUT))

    def get(self, session: requests.Session, path: str) -> Any:
        """Read from the Compute API."""
        return checked(session.get(f'{self.urls["compute"]}{path}', headers=self.headers, timeout=TIMEOUT)).json()

    def network(self) -> str:
        """Return a network with room for all servers, made once."""
        if not self._network:
            base = f'{self.urls["network"]}/v2.0'
            body = {'network': {'name': 'bench'}}
            made = checked(requests.post(f'{base}/networks', json=body, headers=self.headers, timeout=TIMEOUT)).json()
            self._network = made['network']['id']
            body = {'subnet': {'network_id': self._network, 'ip_version': 4, 'cidr': '10.64.0.0/16'}}
            checked(requests.post(f'{base}/subnets', json=body, headers=self.headers, timeout=TIMEOUT))
        return self._network

    def boot(self, count: int, callers: int, wired: bool) -> tuple[Times, Times, list[str]]:
        """Make servers and wait for all; return times to the answer, times to ACTIVE, and the ids."""
        networks: Any = [{'uuid': self.network()}] if wired else 'none'
        server = {'flavorRef': self.flavor, 'imageRef': self.image, 'networks': networks}
        asked: dict[str, float] = {}

        def create(session: requests.Session, number: int) -> None:
            began = time.perf_counter()
            answer = checked(session.post(f'{self.urls["compute"]}/servers', headers=self.headers, timeout=TIMEOUT,
                                          json={'server': {**server, 'name': f'bench-{number}'}}))
            asked[answer.json()['server']['id']] = began
        watcher = Watcher(self, asked, count)
        begin = time.perf_counter()
        answered = together(callers, range(count), create)
        active = watcher.wait(count - answered.failed, 60 + count)
        active.total = max(watcher.ended.values(), default=begin) - begin
        return answered, active, list(asked)

    def delete(self, ids: list[str], callers: int) -> Times:
        """Delete servers and wait until none is listed."""
        def delete(session: requests.Session, server: str) -> None:
            checked(session.delete(f'{self.urls["compute"]}/servers/{server}', headers=self.headers, timeout=TIMEOUT))
        begin = time.perf_counter()
        times = together(callers, ids, delete)
        with requests.Session() as session:
            end = time.monotonic() + 60 + len(ids)
            while self.get(session, '/servers?name=bench-&limit=1')['servers'] and time.monotonic() < end:
                time.sleep(0.1)
        times.total = time.perf_counter() - begin
        return times

    def _find(self, kind: str, path: str, key: str, name: str) -> str:
        items = checked(requests.get(f'{self.urls[kind]}{path}', headers=self.headers, timeout=TIMEOUT)).json()[key]
        return str(next(item['id'] for item in items if item['name'] == name))


class Watcher:
    """Looks at the list of servers that are ACTIVE, from one thread, and notes when each appeared."""

    def __init__(self, cloud: Cloud, asked: dict[str, float], count: int) -> None:
        import threading
        self._cloud, self._asked, self._count = cloud, asked, count
        self.ended: dict[str, float] = {}
        self.errors = 0
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, count: int, seconds: float) -> Times:
        """Wait until so many servers are ACTIVE or ERROR; return how long each took to become ACTIVE."""
        end = time.monotonic() + seconds
        while len(self.ended) + self.errors < count and time.monotonic() < end:
            time.sleep(0.05)
        self._stop = True
        self._thread.join(10)
        times = Times([ended - self._asked[server] for server, ended in self.ended.items()])
        times.failed = self._count - len(times.calls)
        return times

    def _run(self) -> None:
        with requests.Session() as session:
            while not self._stop:
                self._look(session)
                time.sleep(0.1)

    def _look(self, session: requests.Session) -> None:
        path = '/servers?status=ACTIVE&name=bench-&sort_key=launched_at&sort_dir=desc&limit=200'
        rows = self._cloud.get(session, path)['servers']
        moment = time.perf_counter()
        for row in rows:
            if row['id'] in self._asked:
                self.ended.setdefault(row['id'], moment)
        self.errors = len(self._cloud.get(session, '/servers?status=ERROR&name=bench-')['servers'])


def checked(answer: requests.Response) -> requests.Response:
    """Return an answer that is no error. :raises requests.HTTPError:"""
    if answer.status_code >= 400:
        raise requests.HTTPError(f'{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:300]}')
    return answer
