"""The Compute API as one WSGI application: v2.1 with its microversions, v2 as v2.0 was, and the list of both."""

from __future__ import annotations

from typing import Any

from compute.api.routes import all_resources
from compute.api.versions import MINIMUM, NEGOTIATION, Slash, Versions
from compute.db.tables import idempotency
from compute.policies import list_rules
from compute.rest.errors import compute_shape
from compute.rest.idempotency import Answers
from compute.rest.kernel import Api, Kernel
from compute.rest.mount import Mount, Wsgi
from compute.rest.policy import Policy
from compute.rest.relaxed import relaxed

_ADMIN = 'context_is_admin'


def make_app(cloud: Any, policy: Policy | None = None) -> Wsgi:
    """Build the application on ``cloud`` (``compute.control.cloud.Cloud``), which handlers get as ``call.app``."""
    policy = policy or Policy(cloud.conf, list_rules())
    resources, answers = all_resources(), Answers(cloud.db, idempotency)
    current = Kernel(Api('compute', resources, cloud, policy, compute_shape, '/v2.1', NEGOTIATION,
                         project_in_path=True, answers=answers, admin=_ADMIN))
    # What v2.0 answered is what 2.1 answers; what v2.0 let pass is more.
    former = Kernel(Api('compute-v2', relaxed(resources), cloud, policy, compute_shape, '/v2', version=MINIMUM,
                        project_in_path=True, answers=answers, admin=_ADMIN))
    return Mount({'/v2.1': Slash(current), '/v2': Slash(former), '': Versions()})
