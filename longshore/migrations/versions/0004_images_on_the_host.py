"""Which releases have their image on the host, and which need not keep it"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("releases") as releases:
        releases.add_column(sa.Column("on_host", sa.Boolean(), nullable=True))
        releases.add_column(sa.Column("let_go_at", sa.DateTime(), nullable=True))
