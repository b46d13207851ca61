"""What a project is charged with is what it has."""

from __future__ import annotations

from collections.abc import Iterable

from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.look import Look
from compute.db import quotas
from compute.objects.finding import Finding


class Quota(Check):
    """Charged and given back in the transactions that make and remove servers."""

    name = 'quota'
    rules = {'quota_usage_wrong': Rule('A project is charged with other than what its servers sum to',
                                       'charge it with what its servers sum to')}

    def find(self, look: Look) -> Iterable[Finding]:
        for project, recorded, counted in look.read(quotas.uneven):
            wrong = [name for name in recorded if recorded[name] != counted[name]]
            told = ', '.join(f'{recorded[name]} {name} (its servers have {counted[name]})' for name in wrong)
            yield self.finding('quota_usage_wrong', f'project {project} is charged with {told}',
                               about={'project': project}, recorded=recorded, counted=counted,
                               steady=[recorded[name] - counted[name] for name in recorded])

    def fix(self, look: Look, finding: Finding) -> str:
        changed = look.db.transaction(lambda connection: quotas.recount(connection, finding.about['project']))
        if changed is None:
            return ''
        before, after = changed
        return ', '.join(f'{name}: {before[name]} -> {after[name]}' for name in before if before[name] != after[name])
