"""What a built-in token says: who, on what, with which roles, until when.

The identity daemon signs it, every other daemon reads it without asking. On the wire the names are single letters, so
that a token stays a few hundred bytes; here they are words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple


def is_role_name(name: str) -> bool:
    """Return whether a name stays one name in a list with commas, and in a header.

    No comma, no control character, no whitespace at the ends. A role whose name is none would be read as other roles.
    """
    return bool(name) and name == name.strip() and name.isprintable() and ',' not in name


class Place(NamedTuple):
    """A user or a project, with the domain that it belongs to."""

    id: str
    name: str
    domain_id: str
    domain_name: str


class Named(NamedTuple):
    """A role or a domain."""

    id: str
    name: str


class Credential(NamedTuple):
    """The application credential that a token was got with. A restricted one may not make further credentials."""

    id: str
    name: str
    restricted: bool


@dataclass(frozen=True)
class Claims:
    """The content of a token.

    At most one of ``project``, ``domain`` and ``system`` is set; none in an unscoped token, which has no roles.

    :param audit_ids: this token's id and, in one made from another token, the id of the first of the chain.
    :param revision: number of the newest revocation when the token's rights were read. A later one that fits the token
        revokes it; an earlier one was already seen. Numbers instead of times leave no gap between reading and signing.
    :param sources: assignments that the roles come from, other than those of the user on the scope itself: of groups,
        inherited. Written ``actor/kind:target``. Each of the roles is backed by one of them or by the user's own, so a
        token ends only when a role or membership on which it depends is revoked.
    :param pair: id of the EC2 key pair that the token was got with.
    :param issued_at: seconds of the epoch, as ``expires_at``.
    """

    user: Place
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    revision: int
    issued_at: int
    expires_at: int
    project: Place | None = None
    domain: Named | None = None
    system: bool = False
    roles: tuple[Named, ...] = ()
    credential: Credential | None = None
    sources: tuple[str, ...] = ()
    pair: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the claims of the signed token."""
        wire: dict[str, Any] = {'u': self.user, 'm': self.methods, 'a': self.audit_ids, 'n': self.revision,
                                'iat': self.issued_at, 'exp': self.expires_at}
        if self.project:
            wire['p'] = self.project
        if self.domain:
            wire['d'] = self.domain
        if self.system:
            wire['s'] = 1
        if self.roles:
            wire['r'] = self.roles
        if self.credential:
            wire['c'] = self.credential
        if self.sources:
            wire['v'] = self.sources
        if self.pair:
            wire['k'] = self.pair
        return wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Claims:
        """Read the claims of a token whose signature was checked. :raises KeyError, TypeError, ValueError: not ours."""
        return cls(
            user=Place(*wire['u']), methods=tuple(wire['m']), audit_ids=tuple(wire['a']), revision=int(wire['n']),
            issued_at=int(wire['iat']), expires_at=int(wire['exp']),
            project=Place(*wire['p']) if 'p' in wire else None, domain=Named(*wire['d']) if 'd' in wire else None,
            system=bool(wire.get('s')), roles=tuple(Named(*role) for role in wire.get('r', ())),
            credential=Credential(*wire['c']) if 'c' in wire else None, sources=tuple(map(str, wire.get('v', ()))),
            pair=str(wire['k']) if 'k' in wire else None)

    @property
    def scope(self) -> str:
        """The scope as one string: ``project:ID``, ``domain:ID``, ``system:all`` or nothing."""
        if self.project:
            return f'project:{self.project.id}'
        if self.domain:
            return f'domain:{self.domain.id}'
        return 'system:all' if self.system else ''

    @cached_property
    def subjects(self) -> tuple[tuple[str, str], ...]:
        """Everything whose revocation ends this token, as (kind, value)."""
        found = [('token', self.audit_ids[0]), ('chain', self.audit_ids[-1]), ('user', self.user.id),
                 ('domain', self.user.domain_id), ('grant', f'{self.user.id}/{self.scope}')]
        if self.project:
            found += [('project', self.project.id), ('domain', self.project.domain_id)]
        if self.domain:
            found.append(('domain', self.domain.id))
        if self.credential:
            found.append(('credential', self.credential.id))
        if self.pair:
            found.append(('credential', self.pair))
        for source in self.sources:
            found.append(('grant', source))
            actor = source.partition('/')[0]
            if actor != self.user.id:
                found.append(('member', f'{self.user.id}/{actor}'))
        return (*found, *(('role', role.id) for role in self.roles))

    @cached_property
    def headers(self) -> dict[str, str]:
        """The identity headers, under keystonemiddleware's names."""
        found = {'X-User-Id': self.user.id, 'X-User-Name': self.user.name, 'X-User-Domain-Id': self.user.domain_id,
                 'X-User-Domain-Name': self.user.domain_name,
                 'X-Roles': ','.join(role.name for role in self.roles if is_role_name(role.name))}
        if self.project:
            found |= {'X-Project-Id': self.project.id, 'X-Project-Name': self.project.name,
                      'X-Project-Domain-Id': self.project.domain_id,
                      'X-Project-Domain-Name': self.project.domain_name}
        if self.domain:
            found |= {'X-Domain-Id': self.domain.id, 'X-Domain-Name': self.domain.name}
        if self.system:
            found['OpenStack-System-Scope'] = 'all'
        return found
