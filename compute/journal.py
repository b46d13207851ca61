"""What a line in systemd's journal carries besides its text: fields, so that one request is found everywhere.

oslo.log writes to the journal (``use_journal``); here are the fields that it adds, and a text without what journald
knows by itself: time, process, priority. Needs systemd-python, the extra ``journal``.
"""

from __future__ import annotations

from oslo_config import cfg
from oslo_log import handlers

FIELDS = ('request_id', 'global_request_id', 'project_id', 'user', 'trace_id')
CONTEXT_FORMAT = ('%(name)s: [%(global_request_id)s %(request_id)s %(project_id)s %(user)s%(trace)s] '
                  '%(instance)s%(message)s')
PLAIN_FORMAT = '%(name)s: %(instance)s%(message)s'


def prepare(conf: cfg.ConfigOpts) -> None:
    """Let lines for the journal carry ``FIELDS``. Call it before the logs are set up."""
    if conf.use_journal:
        handlers.OSJournalHandler.custom_fields = FIELDS  # type: ignore[assignment]
        if not conf.log_file and not conf.log_dir and not conf.use_stderr:
            conf.set_default('logging_context_format_string', CONTEXT_FORMAT)
            conf.set_default('logging_default_format_string', PLAIN_FORMAT)
            conf.set_default('logging_exception_prefix', '')
