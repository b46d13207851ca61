"""The books of hosts are even: use is the sum of the claims; claims and seats are of servers that are there."""

from __future__ import annotations

from collections.abc import Iterable

from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.look import Look
from compute.db import claims_audit
from compute.db.claims_audit import Discrepancy
from compute.objects.finding import Finding

_CODES = {'usage': 'host_usage_wrong', 'no_host': 'claim_without_host', 'no_instance': 'claim_without_server',
          'wrong_host': 'claim_elsewhere', 'unexplained': 'claim_unexplained', 'no_claim': 'server_without_claim',
          'seat': 'seat_without_claim',
          'no_group': 'seat_without_group', 'no_seat': 'claim_without_seat'}
_FREE, _RISE = 'free the claim, which gives the host its room back', 'free the seat'


class Capacity(Check):
    """All of it is written in one transaction with the server's host."""

    name = 'capacity'
    rules = {
        'host_usage_wrong': Rule('What a host records as used is not the sum of the claims on it',
                                 'set it to the sum of the claims'),
        'claim_without_host': Rule('A claim is on a host that does not exist', _FREE),
        'claim_without_server': Rule('A claim is for a server that does not exist', _FREE),
        'claim_elsewhere': Rule('A server has a claim on a host where it is not, and nothing moves it', _FREE),
        'claim_unexplained': Rule('A server has an incoming or outgoing claim that no operation and no resize explains',
                                  _FREE),
        'server_without_claim': Rule('A server is on a host and claims nothing there',
                                     'claim what its flavor says, even if the host is over its limit then'),
        'seat_without_claim': Rule('A member of a server group has a seat where it has no claim', _RISE),
        'seat_without_group': Rule('A seat is of a server group that does not exist', _RISE),
        'claim_without_seat': Rule('A member of a server group has a claim and no seat: the policy may be broken',
                                   'see whether the group\'s policy holds; move or delete what breaks it',
                                   fixable=False),
    }

    def find(self, look: Look) -> Iterable[Finding]:
        for each in [*look.read(claims_audit.audit), *look.read(claims_audit.missing)]:
            if each.busy and each.kind in ('wrong_host', 'no_claim'):
                continue  # an operation goes on with the server: it may be on its way
            yield self._found(each)

    def _found(self, each: Discrepancy) -> Finding:
        evidence: dict[str, object] = {'host_id': each.host_id, 'purpose': each.purpose}
        steady: object = ''
        if each.kind == 'usage':
            recorded, counted = each.recorded or 0, each.counted or 0
            evidence.update(resource=each.resource, recorded=recorded, counted=counted)
            steady = recorded - counted  # the host goes on being used; what is wrong stays
        return self.finding(_CODES[each.kind], each.message, steady=steady, about={
            'host': each.host, 'server': each.instance_uuid, 'group': each.group_uuid, 'resource': each.resource},
            **evidence)

    def fix(self, look: Look, finding: Finding) -> str:
        about = finding.about
        if finding.code == 'host_usage_wrong':
            changed = look.db.transaction(lambda connection: claims_audit.recount(connection, about['host']))
            return ', '.join(f'{name}: {was} -> {now}' for name, (was, now) in changed.items())
        if finding.code == 'server_without_claim':
            claimed = look.db.transaction(lambda connection: claims_audit.claim_anew(connection, about['server']))
            return f'it has a claim on host {about["host"]} now' if claimed else ''
        if finding.code.startswith('seat_'):
            freed = look.db.transaction(lambda connection: claims_audit.free_seat(
                connection, about['group'], about['server']))
            return 'the seat is free' if freed else ''
        purpose = str(finding.evidence['purpose'])
        freed = look.db.transaction(lambda connection: claims_audit.free(connection, about['server'], purpose))
        return 'the claim is free' if freed else ''
