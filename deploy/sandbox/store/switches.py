"""The faults one can switch on: what webhooks suffer on their way."""

import json
import sqlite3
from dataclasses import asdict, dataclass, fields
from typing import Any

from sandbox.store.errors import Refused


@dataclass(frozen=True)
class Switches:
    """How unkind the road is; the defaults are a kind one."""

    duplicate: int = 1
    delay: float = 0.0
    drop: float = 0.0
    reorder: float = 0.0
    hold: bool = False
    seed: int | None = None


def read(connection: sqlite3.Connection) -> Switches:
    """Return the switches as they stand."""
    rows = connection.execute("SELECT name, value FROM switches").fetchall()
    return Switches(**{row["name"]: json.loads(row["value"]) for row in rows})


def write(connection: sqlite3.Connection, changes: dict[str, Any]) -> Switches:
    """Set some switches and leave the others."""
    known = {field.name for field in fields(Switches)}
    if unknown := sorted(set(changes) - known):
        raise Refused(f"no switch is called {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = Switches(**(asdict(read(connection)) | changes))
    check(wanted)
    connection.executemany(
        "INSERT INTO switches (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [(name, json.dumps(value)) for name, value in asdict(wanted).items()],
    )
    return wanted


def check(wanted: Switches) -> None:
    """Refuse values that mean nothing."""
    if type(wanted.duplicate) is not int or not 1 <= wanted.duplicate <= 20:
        raise Refused("duplicate is a whole number of sendings, 1 to 20")
    for name in ("delay", "reorder"):
        if not is_number(getattr(wanted, name)) or not 0 <= getattr(wanted, name) <= 86_400:
            raise Refused(f"{name} is a number of seconds, 0 to 86400")
    if not is_number(wanted.drop) or not 0 <= wanted.drop <= 1:
        raise Refused("drop is a probability, 0 to 1")
    if not isinstance(wanted.hold, bool):
        raise Refused("hold is true or false")
    if wanted.seed is not None and type(wanted.seed) is not int:
        raise Refused("seed is a whole number, or null for a different fate each time")


def is_number(value: object) -> bool:
    """Tell numbers from everything else, booleans included."""
    return isinstance(value, int | float) and not isinstance(value, bool)
