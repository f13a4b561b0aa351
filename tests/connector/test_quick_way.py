"""The quick way of bookings and holds, where something is out of the ordinary."""

import pytest
from sqlalchemy import text

from tests.factories.serving import Served, session_body, tuesday_at

FAREWELL = text("""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
""")


@pytest.mark.parametrize("path", ["/api/bookings", "/api/holds"])
def test_a_connection_that_has_gone_stale_is_nobodys_problem(shared_api: Served, path: str) -> None:
    shared_api.give(600)
    ana = shared_api.customer()
    assert ana.post(path, session_body()).status_code == 201
    with shared_api.house.transaction() as session:
        session.execute(FAREWELL)

    answer = ana.post(path, session_body(tuesday_at(20)))

    assert answer.status_code == 201, answer.text
