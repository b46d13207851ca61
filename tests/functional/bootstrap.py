"""Fills the identity store of a test's installation: bootstrap.py CONFIG ENDPOINTS-AS-JSON."""

from __future__ import annotations

import json
import sys

from oslo_config import cfg
from oslo_log import log

from compute import conf as options
from compute.builtin.identity.bootstrap import bootstrap
from compute.builtin.identity.daemon import IdentityDaemon
from compute.db.session import Database
from tests.functional.standalone import ADMIN_PASSWORD, SERVICE_PASSWORD

if __name__ == '__main__':
    conf = options.register(cfg.CONF)
    log.register_options(conf)
    conf(['--config-file', sys.argv[1]], project='compute')
    IdentityDaemon(conf, None).prepare()
    database = Database(conf.database.identity_connection, conf.database)
    bootstrap(database, admin_password=ADMIN_PASSWORD, service_password=SERVICE_PASSWORD, region='RegionOne',
              endpoints=json.loads(sys.argv[2]), rounds=4)
