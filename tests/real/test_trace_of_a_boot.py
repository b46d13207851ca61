"""One boot through a cluster of eight processes with RabbitMQ and MariaDB: one trace, and one story by its id."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.collector import OUTSIDE, Collector, boot, chain, trace_of
from tests.functional.standalone import ROOT
from tests.real.cluster import ORDER, Client, Cloud, Cluster
from tests.real.cluster_services import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f'not installed: {", ".join(missing())}')
MANAGE = 'import sys; from compute.cmd.manage import main; sys.exit(main())'
TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'


def test_a_boot_is_one_trace_of_all_processes(tmp_path_factory: pytest.TempPathFactory) -> None:
    collector = Collector()
    cluster = Cluster(tmp_path_factory.mktemp('t'), spawn_delay=0.1)
    try:
        tracing = {'tracing': {'enabled': True, 'endpoint': collector.url, 'sampling_ratio': 0}}
        cluster.start(settings=dict.fromkeys(ORDER, tracing))
        client = Client(cluster)
        boot(client, Cloud(client), traceparent=f'00-{TRACE}-{OUTSIDE}-01')
        spans = trace_of(collector, TRACE)
        service = {(span.name, span.kind): span.service for span in spans}
        post = next(span for span in spans if span.name == 'POST /v2.1/servers')
        cast = [span.service for span in spans if (span.name, span.parent_id) == ('conductor.begin', post.span_id)]
        assert service['POST /v2.1/servers', 'SERVER'] == 'compute-api' and cast == ['compute-api']
        assert service['GET /v2/images/{image_id}', 'SERVER'] == 'compute-image'
        assert service['scheduling', 'INTERNAL'] == 'compute-conductor'
        assert service['select receive', 'CONSUMER'] == 'compute-scheduler'
        assert service['spawning', 'INTERNAL'] == 'compute-worker'
        assert service['POST /v2.0/ports', 'SERVER'] == 'compute-network'
        assert chain(spans, 'POST /v2.0/ports', 'SERVER') == [
            'POST /v2.1/servers', 'conductor.begin', 'begin receive', 'worker.begin', 'begin receive', 'networking',
            'POST network', 'POST /v2.0/ports']
        assert {'api', 'conductor', 'scheduler', 'worker', 'image', 'network', 'ledger'} <= told_of(cluster, TRACE)
    finally:
        cluster.remove()
        collector.close()


def told_of(cluster: Cluster, trace_id: str) -> set[str]:
    """Return whose logs compute-manage finds to have a part in a trace, by the id that came from outside."""
    folder: Path = cluster.folder
    (folder / 'manage.conf').write_text(f'[database]\nconnection = {cluster.mariadb.url("compute")}\n')
    logs = [word for daemon in cluster.daemons.values() for word in ('--log', str(daemon.log))]
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', MANAGE, '--config-file', str(folder / 'manage.conf'), 'trace', '--json',
         *logs, trace_id], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return {moment['where'].partition('.')[0] for moment in json.loads(done.stdout)}
