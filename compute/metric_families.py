"""Every metric there is, as data: what ``metrics.py`` accepts, what ``/metrics`` shows, what the reference page lists.

Names that begin with ``compute_`` are our own. Those that begin with ``openstack_`` are the names and labels of the
common exporter for OpenStack, so that dashboards made for it work: the daemon that owns the data computes them when it
is scraped. A family without an own label set is one number. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNTER, GAUGE, HISTOGRAM = 'counter', 'gauge', 'histogram'
SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 7200.0)


@dataclass(frozen=True)
class Family:
    """One metric: ``labels`` in the order in which callers give their values.

    ``adds_up``: each process has its own share of it; otherwise all processes of a daemon see the same.
    """

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    adds_up: bool = True


def counter(name: str, text: str, *labels: str) -> Family:
    """A number that only grows; its name ends in ``_total``."""
    return Family(name, COUNTER, text, labels)


def gauge(name: str, text: str, *labels: str) -> Family:
    """A number as it is now."""
    return Family(name, GAUGE, text, labels, adds_up=False)


def share(name: str, text: str, *labels: str) -> Family:
    """A gauge of what a process itself has: that of a daemon is the sum of its processes'."""
    return Family(name, GAUGE, text, labels)


def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = SHORT) -> Family:
    """Durations, counted by how long they were."""
    return Family(name, HISTOGRAM, text, labels, buckets)


OWN = (
    # HTTP
    histogram('compute_http_request_seconds', 'Time of an HTTP request, by the template of its route',
              'api', 'method', 'route', 'status'),
    share('compute_http_requests_in_flight', 'HTTP requests that are being answered now', 'api'),
    counter('compute_image_data_damaged_total', 'Downloads of images that ended because their data is missing in the '
            'store or has another size than recorded', 'kind'),
    # RPC and the broker
    histogram('compute_rpc_client_seconds', 'Time until a call was answered or a cast was handed to the broker',
              'interface', 'method'),
    counter('compute_rpc_client_errors_total', 'Calls and casts that failed, by reason: timeout (nobody answered in '
            'time), broker (it does not answer), callee (has no queue), version (does not know the method), remote '
            '(broke at the other end)', 'interface', 'method', 'reason'),
    histogram('compute_rpc_server_seconds', 'Time to serve a call or a cast; result is ok, refused or error',
              'interface', 'method', 'result'),
    counter('compute_rpc_casts_unsent_total', 'Casts that could not be sent. None is lost: the row is the truth, and '
            'the reaper sends it again', 'interface', 'method'),
    counter('compute_broker_reconnects_total', 'Connections to the broker that were made anew after a loss'),
    gauge('compute_broker_queue_messages', 'Messages that wait in a queue of ours', 'queue'),
    # The database
    histogram('compute_database_seconds', 'Time of a transaction (kind write) or of a read, retries included',
              'store', 'kind'),
    counter('compute_database_retries_total', 'Transactions that were tried again, by reason: deadlock, busy, '
            'connection', 'store', 'reason'),
    share('compute_database_connections', 'Connections of a pool by state: in_use, idle, overflow (of those in use, '
          'beyond the size), size (the configured one)', 'store', 'kind', 'state'),
    # Threads
    share('compute_pool_pending', 'Calls that run or wait in a pool of threads', 'pool'),
    share('compute_pool_limit', 'Calls that a pool of threads takes before it refuses more', 'pool'),
    counter('compute_pool_rejected_total', 'Calls that a full pool of threads refused', 'pool'),
    histogram('compute_hub_lag_seconds', 'How late a timer fired: the time for which something held up every thread'),
    share('compute_threads', 'Native threads of the process'),
    # The scheduler
    histogram('compute_scheduler_decision_seconds', 'Time from a request to its claim; result is placed or refused',
              'result'),
    counter('compute_scheduler_rejections_total', 'Hosts that a filter dropped, in decisions that found no host',
            'filter'),
    counter('compute_scheduler_no_valid_host_total', 'Requests for which no host fits'),
    counter('compute_scheduler_lost_claims_total', 'Claims that were lost to another scheduler and decided again'),
    gauge('compute_scheduler_hosts', 'Hosts that the scheduler knows'),
    # The ledger
    gauge('compute_operations_open', 'Operations that have not ended, by kind and state', 'kind', 'state'),
    gauge('compute_operation_oldest_seconds', 'Age of the oldest operation that has not ended', 'kind'),
    gauge('compute_operations_overdue', 'Operations that have not ended and are past their deadline'),
    counter('compute_operations_ended_total', 'Operations that ended; result is done, failed or cancelled',
            'kind', 'result'),
    histogram('compute_operation_seconds', 'Time from the opening of an operation to its end', 'kind', 'result',
              buckets=LONG),
    histogram('compute_operation_stage_seconds', 'Time of a stage of an operation; result is Success or Error',
              'kind', 'stage', 'result', buckets=LONG),
    counter('compute_reaper_actions_total', 'What the reaper did with overdue operations: resent, failed, cancelled',
            'kind', 'action'),
    counter('compute_reports_refused_total', 'Reports of hosts that were refused: the operation is not theirs, or a '
            'newer incarnation has taken over', 'report', 'reason'),
    counter('compute_leases_lost_total', 'Operations that their owner lost while it worked on them', 'owner'),
    gauge('compute_audit_findings', 'Findings of the last audit, by the invariant that does not hold', 'invariant'),
    # The worker
    gauge('compute_worker_guests', 'Guests on a host, by power state', 'host', 'power_state'),
    gauge('compute_worker_operations', 'Operations that run or wait on a host', 'host'),
    counter('compute_transfer_bytes_total', 'Bytes of disks that moved between hosts; direction is sent or received',
            'direction'),
    counter('compute_transfer_refused_total', 'Connections that were refused while disks were offered to another host, '
            'by reason: peer (another address than expected), crowd (too many at once), tls, hello (no TLS 1.3 or no '
            'message in time), token (wrong, or of another client), file (not offered)', 'reason'),
    # Tracing
    counter('compute_trace_spans_total', 'Spans by what became of them: ended, and of these sent to the collector, or '
            'failed to be; what is neither waits, or was dropped from a full queue', 'result'),
    # Health
    gauge('compute_health', 'State of the process: 0 up, 1 degraded, 2 down'),
    gauge('compute_probe', 'State of one probe of the health: 0 up, 1 degraded, 2 down', 'probe'),
    gauge('compute_probe_value', 'What a probe measured, in the unit that its name tells', 'probe'),
    gauge('compute_services', 'Daemons that report themselves, by state: up, degraded, down', 'binary', 'state'),
    gauge('compute_build_info', 'Always 1; the labels tell what runs', 'version', 'concurrency', 'daemons'),
    # The metrics themselves
    counter('compute_metrics_source_errors_total', 'Sources of metrics that broke or took too long', 'source'),
    counter('compute_metrics_series_dropped_total', 'Values that went to a series called "other", because the family '
            'had as many as it may have', 'family'),
)

_HYPERVISOR = ('hostname', 'availability_zone', 'aggregates')
_AGENT = ('id', 'hostname', 'service', 'adminState', 'zone', 'disabledReason')
_TENANT = ('tenant', 'tenant_id')
_RESOURCE = ('hostname', 'resourcetype')

NOVA = (
    gauge('openstack_nova_up', '1 while the data of compute can be read'),
    gauge('openstack_nova_agent_state', '1 for a daemon that was heard lately', *_AGENT),
    gauge('openstack_nova_total_vms', 'Servers'),
    gauge('openstack_nova_running_vms', 'Servers on a host', *_HYPERVISOR),
    gauge('openstack_nova_current_workload', 'Operations that keep a host busy', *_HYPERVISOR),
    gauge('openstack_nova_vcpus_available', 'Virtual CPUs of a host', *_HYPERVISOR),
    gauge('openstack_nova_vcpus_used', 'Virtual CPUs of a host that are claimed', *_HYPERVISOR),
    gauge('openstack_nova_memory_available_bytes', 'Memory of a host', *_HYPERVISOR),
    gauge('openstack_nova_memory_used_bytes', 'Memory of a host that is claimed', *_HYPERVISOR),
    gauge('openstack_nova_local_storage_available_bytes', 'Disk of a host', *_HYPERVISOR),
    gauge('openstack_nova_local_storage_used_bytes', 'Disk of a host that is claimed', *_HYPERVISOR),
    gauge('openstack_nova_free_disk_bytes', 'Disk of a host that is not claimed', *_HYPERVISOR),
    gauge('openstack_nova_server_status', 'The status of a server as the number that the exporter gives it; the '
          'newest servers only, [health] metrics_servers of them', 'id', 'uuid', 'name', 'status', 'tenant_id',
          'user_id', 'address_ipv4', 'address_ipv6', 'host_id', 'hypervisor_hostname', 'availability_zone',
          'flavor_id', 'instance_libvirt'),
    gauge('openstack_nova_server_local_gb', 'Disk of a server, of those that server_status has', 'id', 'name',
          'tenant_id'),
    gauge('openstack_nova_flavors', 'Flavors'),
    gauge('openstack_nova_flavor', 'Always 1', 'id', 'name', 'vcpus', 'ram', 'disk', 'is_public'),
    gauge('openstack_nova_availability_zones', 'Availability zones with a host'),
    gauge('openstack_nova_limits_vcpus_max', 'Quota of virtual CPUs; -1: none', *_TENANT),
    gauge('openstack_nova_limits_vcpus_used', 'Virtual CPUs in use', *_TENANT),
    gauge('openstack_nova_limits_memory_max', 'Quota of memory in MiB; -1: none', *_TENANT),
    gauge('openstack_nova_limits_memory_used', 'Memory in use in MiB', *_TENANT),
    gauge('openstack_nova_limits_instances_max', 'Quota of servers; -1: none', *_TENANT),
    gauge('openstack_nova_limits_instances_used', 'Servers of a project', *_TENANT),
)

PLACEMENT = (
    gauge('openstack_placement_up', '1 while the data of placement can be read'),
    gauge('openstack_placement_resource_total', 'What a host has of a resource class', *_RESOURCE),
    gauge('openstack_placement_resource_reserved', 'What is kept for the host itself', *_RESOURCE),
    gauge('openstack_placement_resource_usage', 'What is claimed', *_RESOURCE),
    gauge('openstack_placement_resource_allocation_ratio', 'How often it may be given away', *_RESOURCE),
    gauge('openstack_placement_resource_generation', 'How often the row of the host changed', *_RESOURCE),
)

NETWORK = (
    gauge('openstack_neutron_up', '1 while the data of the network can be read'),
    gauge('openstack_neutron_agent_state', '1 for an agent that was heard lately', 'id', 'hostname', 'service',
          'adminState', 'availability_zone'),
    gauge('openstack_neutron_networks', 'Networks'),
    gauge('openstack_neutron_subnets', 'Subnets'),
    gauge('openstack_neutron_ports', 'Ports'),
    gauge('openstack_neutron_ports_no_ips', 'Ports without an address'),
    gauge('openstack_neutron_security_groups', 'Security groups'),
    gauge('openstack_neutron_network_ip_availabilities_total', 'Addresses that a subnet can give', 'network_id',
          'network_name', 'ip_version', 'cidr', 'subnet_name', 'project_id'),
    gauge('openstack_neutron_network_ip_availabilities_used', 'Addresses of a subnet that ports have', 'network_id',
          'network_name', 'ip_version', 'cidr', 'subnet_name', 'project_id'),
)

IMAGE = (
    gauge('openstack_glance_up', '1 while the data of images can be read'),
    gauge('openstack_glance_images', 'Images'),
    gauge('openstack_glance_image_bytes', 'Size of an image', 'id', 'name', 'tenant_id'),
    gauge('openstack_glance_image_created_at', 'When an image was made, in seconds since 1970', 'id', 'name',
          'tenant_id', 'status', 'visibility', 'hidden'),
)

IDENTITY = (
    gauge('openstack_identity_up', '1 while the data of identity can be read'),
    gauge('openstack_identity_domains', 'Domains'),
    gauge('openstack_identity_projects', 'Projects'),
    gauge('openstack_identity_users', 'Users'),
    gauge('openstack_identity_groups', 'Groups'),
    gauge('openstack_identity_regions', 'Regions'),
    gauge('openstack_identity_domain_info', 'Always 1', 'id', 'name', 'description', 'enabled'),
    gauge('openstack_identity_project_info', 'Always 1', 'id', 'name', 'domain_id', 'parent_id', 'is_domain',
          'enabled', 'description'),
)

COLLECT = (
    gauge('openstack_metric_collect_seconds', 'Time that it took to read the metrics of a service', 'openstack_service',
          'openstack_metric'),
)

FAMILIES = (*OWN, *NOVA, *PLACEMENT, *NETWORK, *IMAGE, *IDENTITY, *COLLECT)
