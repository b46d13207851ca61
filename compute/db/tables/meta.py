"""The one MetaData, and column types that mean the same on SQLite, MariaDB and PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData()

# MariaDB drops fractions of a second unless told otherwise.
Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql', 'mariadb')
Text = sa.Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')
BigId = sa.BigInteger().with_variant(sa.Integer, 'sqlite')
Json = sa.JSON()


def uuid_column(name: str, **options: object) -> sa.Column[str]:
    """A uuid as text."""
    return sa.Column(name, sa.String(36), **options)  # type: ignore[arg-type]
