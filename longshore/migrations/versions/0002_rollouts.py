"""Rollouts: stages, shares of the traffic, replicas that rest, releases that are not gone back to"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

STATES = ("starting", "healthy", "resting", "draining", "removed")


def upgrade() -> None:
    with op.batch_alter_table("apps") as apps:
        apps.add_column(sa.Column("share", sa.Integer(), nullable=False, server_default="0"))
        apps.add_column(sa.Column("routing", sa.JSON(), nullable=False, server_default="{}"))
        apps.add_column(sa.Column("maintenance", sa.Text(), nullable=True))
        apps.create_check_constraint("share", "share BETWEEN 0 AND 1000")
    with op.batch_alter_table("deployments") as deployments:
        deployments.add_column(sa.Column("stage", sa.Integer(), nullable=False, server_default="0"))
        deployments.add_column(sa.Column("hold_until", sa.DateTime(), nullable=True))
        deployments.add_column(sa.Column("watched", sa.JSON(), nullable=False, server_default="{}"))
        deployments.add_column(sa.Column("reverted_to", sa.Integer(), nullable=True))
        deployments.add_column(sa.Column("digest", sa.JSON(), nullable=True))
    with op.batch_alter_table("releases") as releases:
        releases.add_column(sa.Column("blocked_reason", sa.Text(), nullable=True))
        releases.add_column(sa.Column("blocked_by", sa.String(length=120), nullable=True))
    with op.batch_alter_table("replicas") as replicas:
        replicas.drop_constraint("state", type_="check")
        replicas.create_check_constraint("state", f"state IN ({', '.join(map(repr, STATES))})")
