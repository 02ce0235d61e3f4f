"""A comparison keeps both sides' group and score and the steps between them, as compared.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two sides and the steps; what was compared before has none until it is again."""
    for name in ("our_group", "their_group", "our_score", "their_score"):
        op.add_column(
            "reconciliations", sa.Column(name, sa.Text(), nullable=False, server_default="")
        )
    op.add_column("reconciliations", sa.Column("steps", sa.LargeBinary(), nullable=True))
