"""Fills a fresh store so that somebody can log in: roles, the first domain, projects and users, the catalog.

Running it again changes only what differs from what is asked for, so it also repairs a lost password or a moved
endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db import assignments, attempts
from compute.builtin.identity.db.assignments import Assignment
from compute.builtin.identity.db.catalog import check_url
from compute.builtin.identity.db.nouns import DOMAINS, ENDPOINTS, PROJECTS, REGIONS, ROLES, SERVICES, USERS, Noun
from compute.builtin.identity.db.removal import DEFAULT_DOMAIN
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.db.tables import implied_roles
from compute.builtin.identity.passwords import Passwords
from compute.db.session import Database

ROLE_NAMES = ('admin', 'manager', 'member', 'reader', 'service')
IMPLIES = (('admin', 'manager'), ('manager', 'member'), ('member', 'reader'))
INTERFACES = ('public', 'internal', 'admin')

Endpoint = Mapping[str, str]
"""``{'name': 'nova', 'public': URL, 'internal': URL, 'admin': URL}``; a missing interface gets no endpoint."""


def bootstrap(database: Database, *, admin_password: str, region: str, endpoints: Mapping[str, Endpoint],
              service_password: str | None = None, admin_name: str = 'admin', service_name: str = 'compute',
              rounds: int = 12) -> dict[str, Any]:
    """Make what is missing; return the ids, and under ``changed`` one line for each thing that was made or changed.

    :param endpoints: by service type (``compute``, ``image`` ...).
    :param service_password: of the user that daemons act as; without it that user is left out.
    :param rounds: cost of bcrypt.
    """
    passwords = Passwords(rounds)
    accounts = _Accounts(database, passwords, admin_name, admin_password, service_name, service_password)

    def fill(connection: sa.Connection) -> dict[str, Any]:
        store = _Store(connection)
        roles = {name: store.one(ROLES, {'name': name, 'domain_id': None}, {}) for name in ROLE_NAMES}
        for prior, implied in IMPLIES:
            store.imply(roles[prior], roles[implied])
        domain = store.one(DOMAINS, {'id': DEFAULT_DOMAIN}, {'name': 'Default', 'description': 'The default domain'})
        projects = {name: store.one(PROJECTS, {'name': name, 'domain_id': domain}, {}) for name in ('admin', 'service')}
        users = accounts.store(store, domain, projects, roles)
        store.one(REGIONS, {'id': region}, {})
        for kind, endpoint in endpoints.items():
            store.serve(kind, endpoint, region)
        return {'domain': domain, 'projects': projects, 'users': users, 'roles': roles, 'region': region,
                'changed': store.changed}
    return database.transaction(fill)


class _Store:
    """Makes what is missing and notes what it did."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection, self.changed = connection, list[str]()

    def one(self, noun: Noun, key: dict[str, Any], values: dict[str, Any]) -> str:
        """Return the id of the row with this key, made with ``values`` if it is missing."""
        found = noun.find(self.connection, **key)
        if found is None:
            found = noun.insert(self.connection, {**key, **values})
            self.changed.append(f'{noun.word} {found.get("name") or found["id"]} made')
        return str(found['id'])

    def imply(self, prior: str, implied: str) -> None:
        """Let one role imply another."""
        if not assignments.implies(self.connection, prior, implied):
            self.connection.execute(implied_roles.insert().values(prior_id=prior, implied_id=implied))

    def grant(self, user: str, kind: str, target: str, role: str) -> None:
        """Give a role."""
        if assignments.grant(self.connection, Assignment('user', user, kind, target, role)):
            self.changed.append(f'role {role} given to user {user} on {kind} {target}')

    def serve(self, kind: str, endpoint: Endpoint, region: str) -> None:
        """Enter a service and its endpoints of one region into the catalog."""
        service = self.one(SERVICES, {'type': kind}, {'name': endpoint.get('name', kind)})
        for interface in INTERFACES:
            if not (url := endpoint.get(interface)):
                continue
            check_url(url)
            key = {'service_id': service, 'interface': interface, 'region_id': region}
            found = ENDPOINTS.find(self.connection, **key)
            if found is None:
                ENDPOINTS.insert(self.connection, {**key, 'url': url})
            elif found['url'] != url or not found['enabled']:
                ENDPOINTS.update(self.connection, found['id'], {'url': url, 'enabled': True})
            else:
                continue
            self.changed.append(f'{interface} endpoint of {kind} is {url}')


class _Accounts:
    """The first users. Hashing is slow, so it is done here, before the transaction."""

    def __init__(self, database: Database, passwords: Passwords, admin_name: str, admin_password: str,
                 service_name: str, service_password: str | None) -> None:
        self._admin, self._service = admin_name, service_name if service_password else None
        self._hashes = {}
        for name, password in ((admin_name, admin_password), (service_name, service_password)):
            if password:
                self._hashes[name] = _hash_if_new(database, passwords, name, password)

    def store(self, store: _Store, domain: str, projects: dict[str, str], roles: dict[str, str]) -> dict[str, str]:
        """Make the users and give them their roles; return their ids."""
        admin = self._user(store, self._admin, domain, {})
        store.grant(admin, 'project', projects['admin'], roles['admin'])
        store.grant(admin, 'system', assignments.SYSTEM, roles['admin'])
        users = {self._admin: admin}
        if self._service:
            user = self._user(store, self._service, domain, {'ignore_lockout_failure_attempts': True})
            # No more than that: its password lies on every host.
            store.grant(user, 'project', projects['service'], roles['service'])
            users[self._service] = user
        return users

    def _user(self, store: _Store, name: str, domain: str, options: dict[str, Any]) -> str:
        key, hashed = {'name': name, 'domain_id': domain}, self._hashes[name]
        known = USERS.find(store.connection, **key)
        if known is None:
            return store.one(USERS, key, {'options': options, 'password_hash': hashed})
        user = str(known['id'])
        if hashed or not known['enabled']:
            changes = {'password_hash': hashed} if hashed else {}
            USERS.update(store.connection, user, {**changes, 'enabled': True})
            attempts.forget(store.connection, user)
            revoke(store.connection, 'user', user)
            store.changed.append(f'user {name} can log in with the given password')
        return user


def _hash_if_new(database: Database, passwords: Passwords, name: str, password: str) -> str | None:
    """Return the hash to store; None if the user has this password already."""
    def find(connection: sa.Connection) -> str | None:
        user = USERS.find(connection, name=name, domain_id=DEFAULT_DOMAIN)
        return USERS.secret(connection, user['id'])['password_hash'] if user else None
    stored = database.read(find)
    return None if stored and passwords.fits(password, stored) else passwords.hash(password)
