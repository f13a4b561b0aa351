"""For which sessions credits are meant, where they are not meant for all. Pure (rules D0, D1).

What a product says is frozen on the lots that it grants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Frozen = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a session decides which credits may pay for it; the weekday is the local one."""

    weekday: str = ""
    location: str = ""
    service: str = ""
    coach: str | None = None


# A session of which nothing is known: only what is meant for every session pays for it.
UNKNOWN = Facts()


def facts(
    *, starts_at: datetime, zone: ZoneInfo, location: str, service: str, coach: str | None
) -> Facts:
    """Return the facts of a session that starts then and there."""
    weekday = WEEKDAYS[starts_at.astimezone(zone).weekday()]
    return Facts(weekday, location, service, coach)


@dataclass(frozen=True, slots=True)
class Only:
    """Credits for sessions on these weekdays, there, of these services, with these coaches.

    An empty tuple means any.
    """

    weekdays: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    coaches: tuple[str, ...] = ()

    def allows(self, about: Facts) -> bool:
        """Tell whether these credits may pay for such a session."""
        asked = (
            (self.weekdays, about.weekday),
            (self.locations, about.location),
            (self.services, about.service),
            (self.coaches, about.coach),
        )
        return all(not allowed or fact in allowed for allowed, fact in asked)

    @property
    def breadth(self) -> tuple[int, int]:
        """Return how much is allowed: the narrower, the smaller."""
        limits = (self.weekdays, self.locations, self.services, self.coaches)
        return sum(not limit for limit in limits), sum(len(limit) for limit in limits)

    def frozen(self) -> dict[str, list[str]]:
        """Return it as it is kept, without what it does not limit."""
        return {name: list(limit) for name, limit in asdict(self).items() if limit}


ANYTHING = Only()


def thaw(frozen: Frozen | None) -> Only:
    """Return what is kept of an eligibility; nothing kept means anything."""
    if not frozen:
        return ANYTHING
    return _only(tuple((name, tuple(limit)) for name, limit in frozen.items()))


@lru_cache(maxsize=1024)
def _only(limits: tuple[tuple[str, tuple[str, ...]], ...]) -> Only:
    return Only(**dict(limits))
