"""The cloud under load: logs in as its administrator, makes servers and watches them, with plain HTTP."""

from __future__ import annotations

import json
import pathlib
import time
from typing import Any

import yaml
from client import Session
from measure import Times, together


class Cloud:
    """A stack that runs (tools/stack.sh --fake)."""

    def __init__(self, folder: pathlib.Path) -> None:
        auth = yaml.safe_load((folder / 'clouds.yaml').read_text())['clouds']['admin']['auth']
        self._login = {'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {
                'name': auth['username'], 'password': auth['password'], 'domain': {'id': 'default'}}}},
            'scope': {'project': {'name': auth['project_name'], 'domain': {'id': 'default'}}}}}
        self._tokens_url = f'{auth["auth_url"]}/auth/tokens'
        self.session = Session()
        answer, content = self.log_in(self.session)
        self.headers = {'X-Auth-Token': str(answer.getheader('X-Subject-Token')),
                        'X-OpenStack-Nova-API-Version': '2.93'}
        self.urls = {service['type']: next(
            point['url'] for point in service['endpoints'] if point['interface'] == 'public')
            for service in json.loads(content)['token']['catalog']}
        self.flavor = self._find('compute', '/flavors', 'flavors', 'm1.nano')
        self.image = self._find('image', '/v2/images', 'images', 'debian-tiny')
        self._network = ''

    def log_in(self, session: Session) -> tuple[Any, bytes]:
        """Get a token by password."""
        return session.send('POST', self._tokens_url, {}, self._login)

    def fetch(self, session: Session, path: str) -> bytes:
        """Read from the Compute API and leave it as it came: to parse a long list costs as much as to make it."""
        return session.send('GET', f'{self.urls["compute"]}{path}', self.headers)[1]

    def get(self, session: Session, path: str) -> Any:
        """Read from the Compute API."""
        return json.loads(self.fetch(session, path))

    def make(self, session: Session, kind: str, path: str, body: Any) -> Any:
        """Make something."""
        return json.loads(session.send('POST', f'{self.urls[kind]}{path}', self.headers, body)[1])

    def network(self) -> str:
        """Return a network with room for all servers, made once."""
        if not self._network:
            made = self.make(self.session, 'network', '/v2.0/networks', {'network': {'name': 'bench'}})
            self._network = made['network']['id']
            self.make(self.session, 'network', '/v2.0/subnets', {'subnet': {
                'network_id': self._network, 'ip_version': 4, 'cidr': '10.64.0.0/16'}})
        return self._network

    def boot(self, count: int, callers: int, wired: bool) -> tuple[Times, Times, list[str]]:
        """Make servers and wait for all; return times to the answer, times to ACTIVE, and the ids."""
        networks: Any = [{'uuid': self.network()}] if wired else 'none'
        server = {'flavorRef': self.flavor, 'imageRef': self.image, 'networks': networks}
        asked: dict[str, float] = {}

        def create(session: Session, number: int) -> None:
            began = time.perf_counter()
            made = self.make(session, 'compute', '/servers', {'server': {**server, 'name': f'bench-{number}'}})
            asked[made['server']['id']] = began
        watcher = Watcher(self, asked, count)
        begin = time.perf_counter()
        answered = together(callers, range(count), create)
        active = watcher.wait(count - answered.failed, 60 + count)
        active.total = max(watcher.ended.values(), default=begin) - begin
        return answered, active, list(asked)

    def delete(self, ids: list[str], callers: int) -> Times:
        """Delete servers and wait until none is listed."""
        def delete(session: Session, server: str) -> None:
            session.send('DELETE', f'{self.urls["compute"]}/servers/{server}', self.headers)
        begin = time.perf_counter()
        times = together(callers, ids, delete)
        self.none_left(len(ids))
        times.total = time.perf_counter() - begin
        return times

    def none_left(self, count: int) -> None:
        """Wait until no server of these benches is listed."""
        with Session() as session:
            end = time.monotonic() + 60 + count
            while self.get(session, '/servers?name=bench-&limit=1')['servers'] and time.monotonic() < end:
                time.sleep(0.1)

    def _find(self, kind: str, path: str, key: str, name: str) -> str:
        items = json.loads(self.session.send('GET', f'{self.urls[kind]}{path}', self.headers)[1])[key]
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
        with Session() as session:
            while not self._stop:
                self._look(session)
                time.sleep(0.1)

    def _look(self, session: Session) -> None:
        path = '/servers?status=ACTIVE&name=bench-&sort_key=launched_at&sort_dir=desc&limit=200'
        rows = self._cloud.get(session, path)['servers']
        moment = time.perf_counter()
        for row in rows:
            if row['id'] in self._asked:
                self.ended.setdefault(row['id'], moment)
        self.errors = len(self._cloud.get(session, '/servers?status=ERROR&name=bench-')['servers'])
