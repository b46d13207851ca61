"""The Identity service as the core sees it: only whether a project exists, for flavor access and quotas."""

from __future__ import annotations

import logging
import re
from typing import Protocol

from oslo_config import cfg

from compute import exception
from compute.clients.session import Neighbour
from compute.context import RequestContext

LOG = logging.getLogger(__name__)
_ID = re.compile(r'[0-9A-Za-z_-]{1,64}')


class Identity(Protocol):
    """What is asked of Identity."""

    def project_exists(self, context: RequestContext | None, project_id: str) -> bool | None:
        """Tell whether there is a project of that id; None when it cannot be told: no answer, or no right to ask."""


class RestIdentity:
    """Over HTTP, with the caller's token if there is one."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._service = Neighbour(conf, 'identity', '/v3')

    def project_exists(self, context: RequestContext | None, project_id: str) -> bool | None:
        """Ask."""
        if not _ID.fullmatch(project_id):
            return False
        try:
            self._service.request('GET', f'/projects/{project_id}', context=context)
        except exception.NotFound:
            return False
        except exception.ComputeError as error:
            LOG.warning('it cannot be told whether project %s exists: %s', project_id, error.message)
            return None
        return True
