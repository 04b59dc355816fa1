"""Sources, supersessions, datasets and runs of a workspace."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workspace_meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("file", sa.Text),
        sa.Column("sha256", sa.Text, nullable=False, index=True),
        sa.Column("template", sa.Text),
        sa.Column("datasets", sa.JSON, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("unchanged", sa.BigInteger, nullable=False),
        sa.Column("superseded", sa.BigInteger, nullable=False),
        sa.Column("cumulative", sa.BigInteger, nullable=False),
        sa.Column("known_at", sa.Text),
        sa.Column("imported_at", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("reverted_at", sa.Text),
        sa.Column("reverted_version", sa.BigInteger),
        sa.Column("revert_reason", sa.Text),
        sa.Column("record", sa.JSON, nullable=False),
    )
    op.create_table(
        "supersession",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, primary_key=True),
        sa.Column("known_at", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("supersession_by", "supersession", ["by"])
    op.create_table(
        "dataset",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title_zh", sa.Text),
        sa.Column("title_en", sa.Text),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("custody", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("source", sa.Text),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", sa.Text, nullable=False, index=True),
        sa.Column("manifest", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    for table in ("run", "dataset", "supersession", "source", "workspace_meta"):
        op.drop_table(table)
