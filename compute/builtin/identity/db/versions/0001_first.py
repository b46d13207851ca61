"""The first schema."""

from compute.builtin.identity.db.tables import metadata

revision = '0001'
down_revision = None


def upgrade() -> None:
    """Create every table, and the counter of revocations."""
    from alembic import op

    from compute.builtin.identity.db.revocations import start
    metadata.create_all(op.get_bind())
    start(op.get_bind())
