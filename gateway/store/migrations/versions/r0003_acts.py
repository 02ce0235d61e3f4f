"""Corrections made in one act are taken back together; what was taken back can be made again.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the act of a correction, and whether a correction taken back may be made again."""
    op.add_column("overlays", sa.Column("act", sa.BigInteger(), nullable=True))
    op.add_column("overlays", sa.Column("redo", sa.String(length=8), nullable=True))
