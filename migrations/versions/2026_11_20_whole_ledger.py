"""What the whole book and the whole ledger need; its text stands beside, in SQL."""

from pathlib import Path

from alembic import op

revision = "2026_11_20_whole_ledger"
down_revision = "2026_11_20_first_schema"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
