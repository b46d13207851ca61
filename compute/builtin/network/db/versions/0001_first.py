"""The first schema, as it was released: later changes are in later revisions."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from compute.db.tables.meta import Time

revision = '0001'
down_revision = None
metadata = sa.MetaData()
EXACT = sa.String(255).with_variant(mysql.VARCHAR(255, collation='utf8mb4_bin'), 'mysql', 'mariadb')

sa.Table(
    'network_agents', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('host', sa.String(255), nullable=False),
    sa.Column('admin_state_up', sa.Boolean, nullable=False),
    sa.Column('description', EXACT, nullable=False),
    sa.Column('incarnation', sa.String(64), nullable=False),
    sa.Column('configurations', sa.JSON, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('started_at', Time, nullable=False),
    sa.Column('heartbeat_at', Time, nullable=False),
    sa.UniqueConstraint('host'),
)
sa.Table(
    'network_outbox', metadata,
    sa.Column('id', sa.Integer, primary_key=True, autoincrement=True),
    sa.Column('name', sa.String(64), nullable=False),
    sa.Column('server_uuid', sa.String(255), nullable=False),
    sa.Column('tag', sa.String(255), nullable=False),
    sa.Column('status', sa.String(16), nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('due_at', Time, nullable=False),
    sa.Column('attempts', sa.Integer, nullable=False),
    sa.Index('ix_network_outbox_due_at', 'due_at'),
)
sa.Table(
    'network_projects', metadata,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('default_group_id', sa.String(36)),
    sa.Column('auto_network_id', sa.String(36)),
)
sa.Table(
    'network_quotas', metadata,
    sa.Column('project_id', sa.String(64), primary_key=True),
    sa.Column('resource', sa.String(64), primary_key=True),
    sa.Column('hard_limit', sa.Integer, nullable=False),
)
sa.Table(
    'network_tags', metadata,
    sa.Column('resource_id', sa.String(36), primary_key=True),
    sa.Column('tag', EXACT, primary_key=True),
)
sa.Table(
    'networks', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('name', EXACT, nullable=False),
    sa.Column('description', EXACT, nullable=False),
    sa.Column('admin_state_up', sa.Boolean, nullable=False),
    sa.Column('status', sa.String(16), nullable=False),
    sa.Column('shared', sa.Boolean, nullable=False),
    sa.Column('external', sa.Boolean, nullable=False),
    sa.Column('is_default', sa.Boolean, nullable=False),
    sa.Column('port_security_enabled', sa.Boolean, nullable=False),
    sa.Column('mtu', sa.Integer, nullable=False),
    sa.Column('network_type', sa.String(16), nullable=False),
    sa.Column('physical_network', sa.String(64)),
    sa.Column('segmentation_id', sa.Integer),
    sa.Column('dns_domain', sa.String(255), nullable=False),
    sa.Column('availability_zone_hints', sa.JSON, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Column('revision_number', sa.Integer, nullable=False),
    sa.Index('ix_networks_project_id', 'project_id'),
)
sa.Table(
    'security_groups', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('name', EXACT, nullable=False),
    sa.Column('description', EXACT, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Column('revision_number', sa.Integer, nullable=False),
    sa.Index('ix_security_groups_project_id', 'project_id'),
)
sa.Table(
    'ports', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('name', EXACT, nullable=False),
    sa.Column('description', EXACT, nullable=False),
    sa.Column('network_id', sa.String(36), sa.ForeignKey('networks.id'), nullable=False),
    sa.Column('mac_address', sa.String(17), nullable=False),
    sa.Column('admin_state_up', sa.Boolean, nullable=False),
    sa.Column('status', sa.String(16), nullable=False),
    sa.Column('device_id', sa.String(255), nullable=False),
    sa.Column('device_owner', sa.String(255), nullable=False),
    sa.Column('port_security_enabled', sa.Boolean, nullable=False),
    sa.Column('allowed_address_pairs', sa.JSON, nullable=False),
    sa.Column('dns_name', sa.String(255), nullable=False),
    sa.Column('host', sa.String(255), nullable=False),
    sa.Column('vnic_type', sa.String(64), nullable=False),
    sa.Column('vif_type', sa.String(64), nullable=False),
    sa.Column('vif_details', sa.JSON, nullable=False),
    sa.Column('profile', sa.JSON, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Column('revision_number', sa.Integer, nullable=False),
    sa.UniqueConstraint('network_id', 'mac_address', name='uq_ports_network_mac'),
    sa.Index('ix_ports_device_id', 'device_id'),
    sa.Index('ix_ports_host', 'host'),
    sa.Index('ix_ports_project_id', 'project_id'),
)
sa.Table(
    'security_group_rules', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('name', EXACT, nullable=False),
    sa.Column('description', EXACT, nullable=False),
    sa.Column('group_id', sa.String(36), sa.ForeignKey('security_groups.id', ondelete='CASCADE'), nullable=False),
    sa.Column('direction', sa.String(8), nullable=False),
    sa.Column('ethertype', sa.String(8), nullable=False),
    sa.Column('protocol', sa.String(40)),
    sa.Column('port_range_min', sa.Integer),
    sa.Column('port_range_max', sa.Integer),
    sa.Column('remote_ip_prefix', sa.String(64)),
    sa.Column('remote_group_id', sa.String(36), sa.ForeignKey('security_groups.id', ondelete='CASCADE')),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Column('revision_number', sa.Integer, nullable=False),
    sa.Index('ix_security_group_rules_group_id', 'group_id'),
    sa.Index('ix_security_group_rules_project_id', 'project_id'),
    sa.Index('ix_security_group_rules_remote_group_id', 'remote_group_id'),
)
sa.Table(
    'subnets', metadata,
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('project_id', sa.String(64), nullable=False),
    sa.Column('name', EXACT, nullable=False),
    sa.Column('description', EXACT, nullable=False),
    sa.Column('network_id', sa.String(36), sa.ForeignKey('networks.id'), nullable=False),
    sa.Column('ip_version', sa.Integer, nullable=False),
    sa.Column('cidr', sa.String(64), nullable=False),
    sa.Column('gateway_ip', sa.String(45)),
    sa.Column('enable_dhcp', sa.Boolean, nullable=False),
    sa.Column('ipv6_ra_mode', sa.String(16)),
    sa.Column('ipv6_address_mode', sa.String(16)),
    sa.Column('allocation_pools', sa.JSON, nullable=False),
    sa.Column('dns_nameservers', sa.JSON, nullable=False),
    sa.Column('host_routes', sa.JSON, nullable=False),
    sa.Column('created_at', Time, nullable=False),
    sa.Column('updated_at', Time, nullable=False),
    sa.Column('revision_number', sa.Integer, nullable=False),
    sa.Index('ix_subnets_network_id', 'network_id'),
    sa.Index('ix_subnets_project_id', 'project_id'),
)
sa.Table(
    'network_addresses', metadata,
    sa.Column('subnet_id', sa.String(36), sa.ForeignKey('subnets.id'), primary_key=True),
    sa.Column('number', sa.String(32), primary_key=True),
    sa.Column('address', sa.String(45), nullable=False),
    sa.Column('port_id', sa.String(36), sa.ForeignKey('ports.id', ondelete='CASCADE'), nullable=False),
    sa.Column('position', sa.Integer, nullable=False),
    sa.Index('ix_network_addresses_address', 'address'),
    sa.Index('ix_network_addresses_port_id', 'port_id'),
)
sa.Table(
    'port_security_groups', metadata,
    sa.Column('port_id', sa.String(36), sa.ForeignKey('ports.id', ondelete='CASCADE'), primary_key=True),
    sa.Column('group_id', sa.String(36), sa.ForeignKey('security_groups.id'), primary_key=True),
    sa.Index('ix_port_security_groups_group_id', 'group_id'),
)


def upgrade() -> None:
    """Create every table."""
    from alembic import op
    metadata.create_all(op.get_bind())
