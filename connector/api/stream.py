"""`GET /api/availability/stream`: server-sent events that name the local dates to fetch again."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from booking_engine.booking.availability import Found, Search, Slot
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from connector.api.availability import Searching, find, studio_of
from connector.database import Busy
from connector.live import LiveBook, Mark
from connector.runtime import Runtime

router = APIRouter(tags=["availability"])

STREAMS_MAX = 500
LIFE_SECONDS = 15 * 60  # a stream ends then; the browser opens another
SETTLE_SECONDS = 0.05  # a booking of several bays is one change
RETRY_MS = 2_000


Offered = dict[str, list[Slot]]


@dataclass(slots=True)
class Watch:
    """One browser's view: what it searches, and what it has been told."""

    runtime: Runtime
    live: LiveBook
    epoch: int  # in which the catalogue was read
    studio: Studio
    search: Search
    found: Found
    mark: Mark
    last_id: str | None

    async def look(self) -> None:
        """Search again; where the catalogue may have changed, in the present one."""

        def load() -> Studio:
            with self.runtime.transaction() as session:
                return queries.load(session, studio_id=self.studio.id)

        while self.epoch != self.live.epoch:  # it may change again while it is read
            self.epoch = self.live.epoch
            self.studio = await run_in_threadpool(load)
        self.found, self.mark = await find(self.live, self.studio, self.search)


_open: set[int] = set()


async def _watch(request: Request, search: Searching) -> Watch:
    """Answer the search once, so that a wrong one is refused before anything is streamed."""
    if len(_open) >= STREAMS_MAX:
        raise Busy("too many streams are open", retry_after_seconds=5)
    live: LiveBook = request.app.state.live
    epoch = live.epoch
    studio = await studio_of(request, live)
    found, mark = await find(live, studio, search)
    last_id = request.headers.get("Last-Event-ID")
    watch = Watch(request.app.state.runtime, live, epoch, studio, search, found, mark, last_id)
    if epoch != live.epoch:
        await watch.look()
    return watch


@router.get("/availability/stream", response_class=EventSourceResponse)
async def stream_changes(
    watch: Annotated[Watch, Depends(_watch)],
) -> AsyncIterator[ServerSentEvent]:
    """Send `changed` with the local dates whose slots are no longer what they were."""
    _open.add(id(watch))
    try:
        known = _by_date(watch.found)
        state = _id(known)
        missed = watch.last_id is not None and watch.last_id != state
        yield ServerSentEvent(comment="watching", id=state, retry=RETRY_MS)
        if missed:
            yield _changed(_dates(watch.search), state)
        ends = time.time() + LIFE_SECONDS
        while time.time() < ends and not watch.live.is_ending:
            await watch.live.news(watch.mark, until=min(ends, watch.found.stable_until))
            await asyncio.sleep(SETTLE_SECONDS)
            await watch.look()
            seen = _by_date(watch.found)
            dates = [each for each in _dates(watch.search) if seen.get(each) != known.get(each)]
            known = seen
            if dates:
                yield _changed(dates, _id(seen))
    finally:
        _open.discard(id(watch))


def _dates(search: Search) -> list[str]:
    return [str(search.first + timedelta(days=number)) for number in range(search.days)]


def _by_date(found: Found) -> Offered:
    """Return what each local date offers."""
    zone = found.plan.location.zone
    offered: Offered = {}
    for slot in found.slots:
        day = datetime.fromtimestamp(slot.start * 60, zone).date()
        offered.setdefault(str(day), []).append(slot)
    return offered


def _id(known: Offered) -> str:
    return hashlib.blake2b(repr(sorted(known.items())).encode(), digest_size=8).hexdigest()


def _changed(dates: list[str], state: str) -> ServerSentEvent:
    return ServerSentEvent(event="changed", data={"dates": dates}, id=state)
