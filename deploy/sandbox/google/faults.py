"""Trouble on request: rules that make the API fail the way Google does."""

import json
import time
from dataclasses import dataclass
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from sandbox.google.errors import MESSAGES, GoogleError, as_text, with_details
from sandbox.google.store import Work

FIELDS = {"match", "status", "reason", "body", "times", "seconds", "delay_ms", "when"}
MATCHES = {"method", "calendar", "path_contains"}
NUMBERS = ("times", "seconds", "delay_ms")
RESET = 0
PUSH = "PUSH"


@dataclass(frozen=True)
class Fault:
    """What a rule does to one call."""

    status: int | None
    reason: str
    body: str
    delay: float
    when: str

    @property
    def name(self) -> str:
        """Return the word the call log keeps."""
        if self.when == "after":
            return "reset after"
        if self.status == RESET:
            return "reset before"
        return self.reason if self.status else "delay"

    def response(self) -> Response:
        """Return the refusal in the form the rule asks for."""
        error = GoogleError(self.status or 500, self.reason, MESSAGES.get(self.reason, self.reason))
        if self.body == "text":
            return HTMLResponse(as_text(error), error.status)
        content = with_details(error) if self.body == "details" else error.body()
        return JSONResponse(content, error.status)


def check(rules: object) -> list[dict[str, Any]]:
    """Return the rules if they can be understood; raise ValueError naming what cannot."""
    if not isinstance(rules, list):
        raise ValueError("a list of rules is expected")
    for rule in rules:
        _check_rule(rule)
    return rules


def put(work: Work, rules: list[dict[str, Any]]) -> None:
    """Replace all rules."""
    work.db.execute("DELETE FROM faults")
    for rule in rules:
        seconds = rule.get("seconds")
        until = None if seconds is None else time.time() + seconds
        sql = "INSERT INTO faults (rule, left, until) VALUES (?, ?, ?)"
        work.db.execute(sql, (json.dumps(rule), rule.get("times"), until))


def rules(work: Work) -> list[dict[str, Any]]:
    """Return the rules in force, each with how often it will still strike."""
    sql = """SELECT * FROM faults
        WHERE (left IS NULL OR left > 0) AND (until IS NULL OR until > ?) ORDER BY number"""
    found = work.db.execute(sql, (time.time(),)).fetchall()
    return [
        json.loads(row["rule"]) | {"number": row["number"], "left": row["left"]} for row in found
    ]


def take(work: Work, method: str, path: str, calendar: str) -> Fault | None:
    """Return what the first rule that fits does to this call, and count it."""
    for rule in rules(work):
        if _fits(rule.get("match", {}), method, path, calendar):
            work.db.execute("UPDATE faults SET left = left - 1 WHERE number = ?", (rule["number"],))
            return Fault(
                status=rule.get("status"),
                reason=rule.get("reason") or "backendError",
                body=rule.get("body") or "json",
                delay=(rule.get("delay_ms") or 0) / 1000,
                when=rule.get("when") or "before",
            )
    return None


def _check_rule(rule: object) -> None:
    if not isinstance(rule, dict) or not set(rule) <= FIELDS:
        raise ValueError(f"a rule has only these fields: {', '.join(sorted(FIELDS))}")
    if not set(rule.get("match") or {}) <= MATCHES:
        raise ValueError(f"match has only these fields: {', '.join(sorted(MATCHES))}")
    for name, allowed in (
        ("body", {None, "json", "details", "text"}),
        ("when", {None, "before", "after"}),
        ("status", {None, RESET, 400, 401, 403, 404, 409, 410, 412, 429, 500, 502, 503, 504}),
    ):
        if rule.get(name) not in allowed:
            raise ValueError(f"{name} cannot be {rule[name]!r}")

    for name in NUMBERS:
        value = rule.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise ValueError(f"{name} is a number")


def _fits(match: dict[str, str], method: str, path: str, calendar: str) -> bool:
    # Messages to push channels are struck only by a rule that names them.
    default = "" if method == PUSH else method
    return (
        match.get("method", default).upper() == method
        and match.get("calendar", calendar) == calendar
        and match.get("path_contains", "") in path
    )
