"""Commands that run once: runs, what they print, and the containers of all such commands"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

STANDING = sa.text("removed_at IS NULL")


def upgrade() -> None:
    _runs()
    op.create_table(
        "run_chunks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_chunks_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_chunks")),
        sa.UniqueConstraint("run_id", "sequence", name=op.f("uq_run_chunks_run_id_sequence")),
    )
    _one_offs()


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("command", sa.JSON(), nullable=False),
        sa.Column("process", sa.String(length=20), nullable=False),
        sa.Column("deadline", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("release_id", sa.Integer(), nullable=True),
        sa.Column("owner", sa.String(length=40), nullable=True),
        sa.Column("cancel_asked_at", sa.DateTime(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_fault", sa.String(length=16), nullable=True),
        sa.Column("error_hint", sa.Text(), nullable=True),
        sa.Column("log_sequence", sa.Integer(), nullable=False),
        sa.Column("log_bytes", sa.Integer(), nullable=False),
        sa.Column("rung_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name=op.f("ck_runs_state")
        ),
        sa.CheckConstraint("state <> 'running' OR (owner IS NOT NULL)", name=op.f("ck_runs_running_facts")),
        sa.CheckConstraint("state <> 'succeeded' OR (exit_code IS NOT NULL)", name=op.f("ck_runs_succeeded_facts")),
        sa.CheckConstraint(
            "state <> 'failed' OR (error_code IS NOT NULL AND error_message IS NOT NULL)",
            name=op.f("ck_runs_failed_facts"),
        ),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_runs_app_id_apps")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_runs_release_id_releases")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("app_id", "number", name=op.f("uq_runs_app_id_number")),
    )
    op.create_index("ix_runs_state", "runs", ["state"], unique=False)


def _one_offs() -> None:
    op.create_table(
        "one_offs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("removed_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("(job_id IS NULL) <> (run_id IS NULL)", name=op.f("ck_one_offs_one_owner")),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_one_offs_app_id_apps")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_one_offs_job_id_jobs")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_one_offs_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_offs")),
    )
    for column in ("job_id", "run_id", "name"):
        op.create_index(op.f(f"ix_one_offs_{column}"), "one_offs", [column], unique=False)
    for column in ("name", "address"):
        op.create_index(
            f"ux_one_offs_{column}_taken",
            "one_offs",
            [column],
            unique=True,
            sqlite_where=STANDING,
            postgresql_where=STANDING,
        )
