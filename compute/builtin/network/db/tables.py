"""The tables of the network store.

Foreign keys refuse what would leave something without its parent, so that two daemons that work on the same network
at the same time cannot do harm. ``addresses`` has the address in its key: whoever inserts it first has it. Names begin
with ``network_`` where another store, in the same database, might have the same one.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from compute.db.tables.idempotency import idempotency_table

metadata = sa.MetaData()
idempotency = idempotency_table(metadata, 'network')


def text(length: int) -> Any:
    """Return a string type that compares exactly, also where the database would ignore case."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, collation='utf8mb4_bin'), 'mysql', 'mariadb')


ID = sa.String(36)
PROJECT = sa.String(64)
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')


def _noun(name: str, *columns: Any) -> sa.Table:
    """Return a table of something that the API shows, with what all such things have."""
    return sa.Table(
        name, metadata,
        sa.Column('id', ID, primary_key=True),
        sa.Column('project_id', PROJECT, nullable=False, index=True),
        sa.Column('name', text(255), nullable=False, default=''),
        sa.Column('description', text(255), nullable=False, default=''),
        *columns,
        sa.Column('created_at', MOMENT, nullable=False),
        sa.Column('updated_at', MOMENT, nullable=False),
        sa.Column('revision_number', sa.Integer, nullable=False, default=1))


projects = sa.Table(
    # Locked by everything that makes something for a project: quota and default group are decided one at a time.
    'network_projects', metadata,
    sa.Column('id', PROJECT, primary_key=True),
    sa.Column('default_group_id', ID),
    sa.Column('auto_network_id', ID))

networks = _noun(
    'networks',
    sa.Column('admin_state_up', sa.Boolean, nullable=False, default=True),
    sa.Column('status', sa.String(16), nullable=False, default='ACTIVE'),
    sa.Column('shared', sa.Boolean, nullable=False, default=False),
    sa.Column('external', sa.Boolean, nullable=False, default=False),
    sa.Column('is_default', sa.Boolean, nullable=False, default=False),
    sa.Column('port_security_enabled', sa.Boolean, nullable=False, default=True),
    sa.Column('mtu', sa.Integer, nullable=False),
    sa.Column('network_type', sa.String(16), nullable=False, default='local'),
    sa.Column('physical_network', sa.String(64)),
    sa.Column('segmentation_id', sa.Integer),
    sa.Column('dns_domain', sa.String(255), nullable=False, default=''),
    sa.Column('availability_zone_hints', sa.JSON, nullable=False, default=list))

subnets = _noun(
    'subnets',
    sa.Column('network_id', ID, sa.ForeignKey('networks.id'), nullable=False, index=True),
    sa.Column('ip_version', sa.Integer, nullable=False),
    sa.Column('cidr', sa.String(64), nullable=False),
    sa.Column('gateway_ip', sa.String(45)),
    sa.Column('enable_dhcp', sa.Boolean, nullable=False, default=True),
    sa.Column('ipv6_ra_mode', sa.String(16)),
    sa.Column('ipv6_address_mode', sa.String(16)),
    sa.Column('allocation_pools', sa.JSON, nullable=False, default=list),
    sa.Column('dns_nameservers', sa.JSON, nullable=False, default=list),
    sa.Column('host_routes', sa.JSON, nullable=False, default=list))

ports = _noun(
    'ports',
    sa.Column('network_id', ID, sa.ForeignKey('networks.id'), nullable=False),
    sa.Column('mac_address', sa.String(17), nullable=False),
    sa.Column('admin_state_up', sa.Boolean, nullable=False, default=True),
    sa.Column('status', sa.String(16), nullable=False, default='DOWN'),
    sa.Column('device_id', sa.String(255), nullable=False, default='', index=True),
    sa.Column('device_owner', sa.String(255), nullable=False, default=''),
    sa.Column('port_security_enabled', sa.Boolean, nullable=False, default=True),
    sa.Column('allowed_address_pairs', sa.JSON, nullable=False, default=list),
    sa.Column('dns_name', sa.String(255), nullable=False, default=''),
    sa.Column('host', sa.String(255), nullable=False, default='', index=True),
    sa.Column('vnic_type', sa.String(64), nullable=False, default='normal'),
    sa.Column('vif_type', sa.String(64), nullable=False, default='unbound'),
    sa.Column('vif_details', sa.JSON, nullable=False, default=dict),
    sa.Column('profile', sa.JSON, nullable=False, default=dict),
    sa.UniqueConstraint('network_id', 'mac_address', name='uq_ports_network_mac'))

addresses = sa.Table(
    # ``number`` is the address as 32 hexadecimal digits, which sort as the addresses do.
    'network_addresses', metadata,
    sa.Column('subnet_id', ID, sa.ForeignKey('subnets.id'), primary_key=True),
    sa.Column('number', sa.String(32), primary_key=True),
    sa.Column('address', sa.String(45), nullable=False, index=True),
    sa.Column('port_id', ID, sa.ForeignKey('ports.id', ondelete='CASCADE'), nullable=False, index=True),
    sa.Column('position', sa.Integer, nullable=False, default=0))

security_groups = _noun('security_groups')

security_group_rules = _noun(
    'security_group_rules',
    sa.Column('group_id', ID, sa.ForeignKey('security_groups.id', ondelete='CASCADE'), nullable=False, index=True),
    sa.Column('direction', sa.String(8), nullable=False),
    sa.Column('ethertype', sa.String(8), nullable=False),
    sa.Column('protocol', sa.String(40)),
    sa.Column('port_range_min', sa.Integer),
    sa.Column('port_range_max', sa.Integer),
    sa.Column('remote_ip_prefix', sa.String(64)),
    sa.Column('remote_group_id', ID, sa.ForeignKey('security_groups.id', ondelete='CASCADE'), index=True),
    # Null in rows of daemons of the version before, and in one of two equal rules that such a daemon accepted.
    sa.Column('rule_key', text(160)),
    sa.Index('uq_security_group_rules_key', 'group_id', 'rule_key', unique=True))

port_groups = sa.Table(
    'port_security_groups', metadata,
    sa.Column('port_id', ID, sa.ForeignKey('ports.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('group_id', ID, sa.ForeignKey('security_groups.id'), primary_key=True, index=True))

tags = sa.Table(
    'network_tags', metadata,
    sa.Column('resource_id', ID, primary_key=True),
    sa.Column('tag', text(255), primary_key=True))

agents = sa.Table(
    'network_agents', metadata,
    sa.Column('id', ID, primary_key=True),
    sa.Column('host', sa.String(255), nullable=False, unique=True),
    sa.Column('admin_state_up', sa.Boolean, nullable=False, default=True),
    sa.Column('description', text(255), nullable=False, default=''),
    sa.Column('incarnation', sa.String(64), nullable=False, default=''),
    sa.Column('configurations', sa.JSON, nullable=False, default=dict),
    sa.Column('created_at', MOMENT, nullable=False),
    sa.Column('started_at', MOMENT, nullable=False),
    sa.Column('heartbeat_at', MOMENT, nullable=False))

quotas = sa.Table(
    'network_quotas', metadata,
    sa.Column('project_id', PROJECT, primary_key=True),
    sa.Column('resource', sa.String(64), primary_key=True),
    sa.Column('hard_limit', sa.Integer, nullable=False))

outbox = sa.Table(
    # Events for Compute that are not delivered yet. ``attempts`` also decides who of several daemons sends a row.
    'network_outbox', metadata,
    sa.Column('id', sa.Integer, primary_key=True, autoincrement=True),
    sa.Column('name', sa.String(64), nullable=False),
    sa.Column('server_uuid', sa.String(255), nullable=False),
    sa.Column('tag', sa.String(255), nullable=False),
    sa.Column('status', sa.String(16), nullable=False),
    sa.Column('created_at', MOMENT, nullable=False),
    sa.Column('due_at', MOMENT, nullable=False, index=True),
    sa.Column('attempts', sa.Integer, nullable=False, default=0))
