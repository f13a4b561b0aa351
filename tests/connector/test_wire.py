"""What every request gets: strict bodies, problem documents, an id, no answer before a commit."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import func, select

from booking_engine.booking.models import Booking, Hold
from tests.factories.serving import PROBLEM, Served, session_body, tuesday_at

SAID = "unlikely-words-of-the-caller"
REFUSING_COMMIT = """
    CREATE FUNCTION refuse_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'no commit today'; END $$;
    CREATE CONSTRAINT TRIGGER refuse_commit AFTER INSERT ON booking
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_commit();
"""


@pytest.fixture
def api(shared_api: Served) -> Served:
    return shared_api


@pytest.fixture
def no_commit(api: Served) -> Iterator[Served]:
    """The API on a database that refuses whatever makes a booking, at its commit."""
    with api.house.transaction() as session:
        session.execute(text(REFUSING_COMMIT))
    yield api
    with api.house.transaction() as session:
        session.execute(text("DROP FUNCTION refuse_commit CASCADE"))


def bookings_and_holds(api: Served) -> tuple[int, int]:
    with api.house.transaction() as session:
        booked = session.exec(select(func.count()).select_from(Booking)).one()
        return booked, session.exec(select(func.count()).select_from(Hold)).one()


@pytest.mark.parametrize(
    "change",
    [
        {"colour": SAID},
        {"coaching": {"minutes": 60, "colour": SAID}},
        {"start": tuesday_at(18).replace(tzinfo=None).isoformat()},
        {"start": tuesday_at(18).date().isoformat()},
        {"start": SAID},
        {"start": str(int(tuesday_at(18).timestamp()))},
        {"start": int(tuesday_at(18).timestamp())},
        {"start": "9999-12-31T23:59:59-12:00"},
        {"start": None},
        {"minutes": "60"},
        {"minutes": 60.5},
        {"minutes": True},
        {"minutes": 0},
        {"minutes": -60},
        {"minutes": 10**30},
        {"simulators": "2"},
        {"simulators": 0},
        {"simulators": -1},
        {"simulator": ""},
        {"simulator": SAID * 10},
        {"service": ["simulator"]},
        {"service": SAID},
        {"service": "\x00"},
        {"coaching": {"minutes": "60"}},
        {"coaching": {"minutes": -30}},
        {"coaching": {"minutes": 60, "coach": SAID}},
        {"coaching": {"minutes": 60, "start": "18:00"}},
    ],
)
@pytest.mark.parametrize("path", ["/api/holds", "/api/bookings"])
def test_a_body_that_cannot_be_meant_is_refused_without_an_echo(
    api: Served, path: str, change: dict[str, Any]
) -> None:
    api.give(600)

    answer = api.customer().post(path, {**session_body(), **change})

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert answer.json()["code"] == "invalid"
    assert SAID not in answer.text
    assert bookings_and_holds(api) == (0, 0)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"service": "\\ud800"}']
)
def test_what_is_no_body_is_refused(api: Served, raw: bytes) -> None:
    answer = api.customer().ask(
        "POST", "/api/bookings", content=raw, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert bookings_and_holds(api) == (0, 0)


@pytest.mark.parametrize(
    "reason", [r"a\u0000b", r"\ud800", "x" * 501], ids=["nul", "half a letter", "long"]
)
def test_a_reason_that_cannot_be_kept_is_refused(api: Served, reason: str) -> None:
    api.give(60)
    booking = api.customer().post("/api/bookings", session_body()).json()

    answer = api.customer().ask(
        "POST",
        f"/api/bookings/{booking['id']}/cancel",
        content=f'{{"reason": "{reason}"}}',
        headers={"Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert api.customer().get(f"/api/bookings/{booking['id']}").json()["status"] == "confirmed"


def test_a_body_of_two_megabytes_is_read_and_a_longer_one_is_not(api: Served) -> None:
    limit = 2 * 1024 * 1024

    fits = api.deliver(b" " * limit, "unknown/topic")
    long = api.deliver(b" " * (limit + 1), "unknown/topic")
    streamed = api.http.post("/api/shopify/webhooks", content=(b" " * limit for _ in range(2)))

    assert fits.status_code == 200
    for answer in (long, streamed):
        assert (answer.status_code, answer.headers["Content-Type"]) == (413, PROBLEM)
        assert answer.json()["code"] == "too_large"
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/api/bookings/42", 422, "invalid"),
        ("PUT", "/api/bookings", 405, "method_not_allowed"),
        ("DELETE", "/api/catalog", 405, "method_not_allowed"),
        ("GET", "/api/shopify/webhooks", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_a_problem_document(
    api: Served, method: str, path: str, status: int, code: str
) -> None:
    answer = api.customer().ask(method, path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert (answer.json()["code"], answer.json()["status"]) == (code, status)
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("abc-1.2_3", r"abc-1\.2_3"),
        ("a b", r"[0-9a-f]{32}"),
        ("x" * 65, r"[0-9a-f]{32}"),
        ("", r"[0-9a-f]{32}"),
    ],
)
def test_a_sensible_request_id_is_kept(api: Served, given: str, shown: str) -> None:
    answer = api.http.get("/healthz", headers={"X-Request-Id": given})

    assert re.fullmatch(shown, answer.headers["X-Request-Id"])


@pytest.mark.parametrize("path", ["/api/holds", "/api/bookings"])
def test_a_commit_that_fails_is_not_answered_with_success(no_commit: Served, path: str) -> None:
    api = no_commit
    api.give(60)

    answer = api.customer().post(path, session_body(), key="once")

    assert (answer.status_code, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert answer.json()["code"] == "internal"
    assert "no commit" not in answer.text
    assert bookings_and_holds(api) == (0, 0)
    assert api.customer().get("/api/credits").json()["simulator_minutes"]["available"] == 60


def test_an_answer_that_something_broke_has_its_request_id_too(no_commit: Served) -> None:
    answer = no_commit.customer().post("/api/holds", session_body())

    assert answer.status_code == 500
    assert answer.headers.get("X-Request-Id") == answer.json()["request_id"]
