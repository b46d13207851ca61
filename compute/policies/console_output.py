"""Who may read the serial console log of a server."""

from __future__ import annotations

from compute.policies.rules import ACTION, MEMBER, rule

CONSOLE_OUTPUT = 'os_compute_api:os-console-output'

RULES = (rule(CONSOLE_OUTPUT, MEMBER, 'Read what a server wrote to its serial console.',
              ACTION + '(os-getConsoleOutput)'),)
