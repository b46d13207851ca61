"""Spans of requests and operations, sent to an OpenTelemetry collector."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('tracing', title='Tracing', help='Spans for OpenTelemetry. The extra ``otel`` has to be installed '
                     '(``pip install "compute[otel]"``). Without it, and while it is off, trace ids are still read, '
                     'logged and passed on.')

OPTS = [
    cfg.BoolOpt('enabled', default=False,
                help='Record spans and send them. It turns on what oslo.messaging has for RPC as well.'),
    cfg.URIOpt('endpoint', default='http://127.0.0.1:4318', schemes=['http', 'https'],
               help='Base URL of the collector (OTLP over HTTP); spans go to ``/v1/traces`` below it. Its name is '
                    'resolved by the system, which holds up green threads: an address, or a collector on this machine, '
                    'never does.'),
    cfg.FloatOpt('sampling_ratio', default=1.0, min=0.0, max=1.0,
                 help='Part of the traces that begin here which are recorded. Where a request comes with a '
                      '``traceparent``, its sampled flag decides and this does not.'),
    cfg.IntOpt('queue_size', default=2048, min=128,
               help='Spans that wait to be sent. While the collector does not keep up, the oldest are dropped.'),
    cfg.FloatOpt('timeout', default=5.0, min=0.1,
                 help='Seconds for which a batch of spans is tried, all attempts together, before it is dropped.'),
]
