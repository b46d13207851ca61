"""The conductor: leases, the reaper, retries, retention."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('conductor', title='Conductor')

OPTS = [
    cfg.FloatOpt('begin_timeout', default=15.0, min=1,
                 help='Seconds within which whoever was sent an operation has to begin it. Then the reaper sends it '
                      'again or gives it to another.'),
    cfg.FloatOpt('lease', default=30.0, min=3,
                 help='Seconds for which a worker or conductor holds an operation without renewing its lease. Workers '
                      'renew with every heartbeat, so this must be well above [worker] heartbeat_interval.'),
    cfg.FloatOpt('reaper_interval', default=5.0, min=0.2,
                 help='Seconds between two sweeps over operations whose owner is gone. One conductor at a time '
                      'sweeps.'),
    cfg.IntOpt('reaper_batch', default=100, min=1, help='Operations that one sweep takes up at most.'),
    cfg.IntOpt('max_attempts', default=3, min=1,
               help='Hosts on which a new server is tried before it is put in ERROR.'),
    cfg.FloatOpt('service_down_time', default=60.0, min=2,
                 help='Seconds without a heartbeat after which a daemon counts as down.'),
    cfg.FloatOpt('heartbeat_interval', default=10.0, min=0.5, help='Seconds between two heartbeats of a conductor.'),
    cfg.IntOpt('deleted_retention', default=7 * 86400, min=0,
               help='Seconds for which deleted servers can still be listed by administrators.'),
    cfg.IntOpt('operation_retention', default=90 * 86400, min=0,
               help='Seconds for which ended operations are kept (what os-instance-actions shows).'),
    cfg.FloatOpt('janitor_interval', default=300.0, min=1,
                 help='Seconds between two runs of the janitor, which removes what is past its retention.'),
    cfg.IntOpt('janitor_batch', default=500, min=1, help='Rows that the janitor removes in one transaction.'),
    cfg.FloatOpt('data_migration_interval', default=5.0, min=0.1,
                 help='Seconds between two steps of data migrations: rows that are there are brought to the shape that '
                      'a new version wants while everything runs.'),
    cfg.IntOpt('data_migration_batch', default=500, min=1, help='Rows that one such step changes at most.'),
    cfg.FloatOpt('audit_interval', default=600.0, min=0,
                 help='Seconds between two audits, which look for what must never be: operations that hang, counters '
                      'that do not add up, things that belong to nobody. One conductor at a time audits; with 0 none.'),
    cfg.ListOpt('audit_fix', default=['claim_without_server', 'seat_without_claim', 'port_surplus'],
                help='Findings, by their codes, that an audit fixes by itself. The others wait for compute-manage '
                     'audit --fix. The default frees capacity and addresses that no server uses. '
                     'doc/operations/audit.rst lists the codes.'),
    cfg.FloatOpt('audit_pause', default=5.0, min=0,
                 help='Seconds between the two looks of an audit. What is not wrong in the same way both times was '
                      'work under way and is not reported.'),
    cfg.FloatOpt('network_refresh_interval', default=60.0, min=0,
                 help='Seconds between two batches of the periodic refresh, which reads the ports of all servers in '
                      'turn. It finds changes that sent no event. One conductor at a time runs it; 0 disables it.'),
    cfg.IntOpt('network_refresh_batch', default=200, min=1,
               help='Servers in one batch of this refresh. With the defaults 12000 servers are read in an hour.'),
    cfg.BoolOpt('enable_new_hosts', default=True,
                help='Whether a host that reports for the first time may be given servers at once.'),
    cfg.BoolOpt('allow_resize_to_same_host', default=True,
                help='Whether a resize may keep the server on its host. On: a cloud of one host can resize.'),
    cfg.IntOpt('resize_confirm_window', default=86400, min=0,
               help='Seconds after which a resize or a cold migration that nobody confirmed or reverted is confirmed; '
                    '0 disables this.'),
    cfg.FloatOpt('resize_confirm_interval', default=60.0, min=1,
                 help='Seconds between two looks for resizes that are to be confirmed. One conductor at a time looks.'),
    cfg.IntOpt('pool_size', default=32, min=1,
               help='Operations that one conductor works on at the same time, but for those that want a host.'),
    cfg.IntOpt('placing_pool_size', default=16, min=1,
               help='New servers, or groups of them, for which one conductor asks the scheduler at the same time. They '
                    'wait here for a scheduler that does not answer; deletes do not wait behind them.'),
]
