"""Who may tell the controller of events that happened in other services."""

from __future__ import annotations

from compute.policies.rules import SERVICE, rule

CREATE = 'os_compute_api:os-server-external-events:create'

RULES = (rule(CREATE, SERVICE, 'Announce events of other services, such as a port that was wired.',
              'POST /os-server-external-events'),)
