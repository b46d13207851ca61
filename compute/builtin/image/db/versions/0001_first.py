"""The first schema."""

from compute.builtin.image.db.tables import metadata

revision = '0001'
down_revision = None


def upgrade() -> None:
    """Create every table."""
    from alembic import op
    metadata.create_all(op.get_bind())
