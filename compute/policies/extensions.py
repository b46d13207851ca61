"""Who may list the parts of this API."""

from __future__ import annotations

from compute.policies.rules import ANY, rule

SEE = 'os_compute_api:extensions'

RULES = (rule(SEE, ANY, 'List or show the parts that this API consists of.',
              'GET /extensions', 'GET /extensions/{alias}'),)
