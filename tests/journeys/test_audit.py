"""The audit's report: signed, checkable by whoever has the secret, and blind to no missing row."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.factories.sandbox_people import Merchant, Visitor
from tests.factories.sandbox_process import SandboxProcess, eventually
from tests.factories.studio import HOUR


@contextmanager
def without(sandbox: SandboxProcess, table: str, order: int) -> Iterator[None]:
    """Delete one row of an order's ledger behind every trigger's back, and put it back."""
    of_order = f"lot_id IN (SELECT id FROM lot WHERE order_id = {order})"
    rows = {"lot": f"order_id = {order}", "transfer": of_order}[table]
    with psycopg.connect(sandbox.env["SIMSTUDIO_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"CREATE TABLE gone AS SELECT * FROM {table} WHERE {rows} LIMIT 1")
        key = {"lot": "id", "transfer": "key"}[table]
        connection.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM gone)")
        yield
        always = "OVERRIDING SYSTEM VALUE" if table == "transfer" else ""
        connection.execute(f"INSERT INTO {table} {always} SELECT * FROM gone")
        connection.execute("DROP TABLE gone")


@pytest.mark.parametrize(
    ("table", "what"), [("lot", "its lot is gone"), ("transfer", "do not add up")]
)
def test_a_missing_row_is_reported_by_its_order(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, table: str, what: str
) -> None:
    order = merchant.order(visitor.customer, {HOUR: 2})
    eventually(visitor.minutes, (120, 0))
    assert sandbox.run("audit").code == 0

    with without(sandbox, table, order["id"]):
        found, printed = sandbox.run("audit", "--json"), sandbox.run("audit")

    (report,) = json.loads(found.out)
    assert (found.code, report["differences"]) == (1, 1)
    (difference,) = report["found"]
    assert difference["order"] == order["name"]
    assert what in difference["what"]
    assert f"{order['name']}: " in printed.out
    assert sandbox.run("audit").code == 0
    assert sandbox.violations() == ""


def test_a_report_is_proven_until_a_digit_of_it_changes(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    merchant.order(visitor.customer, {HOUR: 1})
    eventually(visitor.minutes, (60, 0))
    written = sandbox.run("audit", "--json")
    (report,) = json.loads(written.out)
    file, forged, junk = (tmp_path / name for name in ("report.json", "forged.json", "junk"))
    file.write_text(written.out)
    forged.write_text(json.dumps([report | {"units": report["units"] + 1}]))
    junk.write_text("no report")
    key = "SIMSTUDIO_SHOPIFY__CLIENT_SECRET"
    rotated = {key: "another", "SIMSTUDIO_SHOPIFY__PREVIOUS_CLIENT_SECRET": sandbox.env[key]}

    said = {
        "proven": sandbox.run("audit", "--check", str(file)),
        "rotated": sandbox.run("audit", "--check", str(file), **rotated),
        "stranger": sandbox.run("audit", "--check", str(file), **{key: "another"}),
        "forged": sandbox.run("audit", "--check", str(forged)),
        "junk": sandbox.run("audit", "--check", str(junk)),
    }

    assert {name: done.code for name, done in said.items()} == {
        "proven": 0,
        "rotated": 0,
        "stranger": 1,
        "forged": 1,
        "junk": 2,
    }
    assert "signed here and unchanged" in said["proven"].out
    assert "changed since" in said["forged"].out
    assert len(report["inputs"]) == len(report["signature"]) == 64


def test_the_liability_of_a_month_is_printed(sandbox: SandboxProcess) -> None:
    table, as_json = (
        sandbox.run("report", "liability"),
        sandbox.run("report", "liability", "--json"),
    )
    refused = sandbox.run("report", "liability", "--month", "2199-01")

    (report,) = json.loads(as_json.out)
    assert (table.code, as_json.code, refused.code) == (0, 0, 2)
    assert "closing" in table.out
    assert "has not begun" in refused.words
    money = report["money_minor"]
    gone = money["used"] + money["expired"] + money["revoked"]
    assert money["opening"] + money["sold"] - gone == money["closing"]
