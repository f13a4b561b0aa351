"""Google Calendar v3 over google-api-python-client: our ids, If-Match, and errors in our words.

The client's own retries stay off: it repeats a POST after a dropped connection and ignores
Retry-After. Facts: developers.google.com "Handle API errors", "Get specific versions of resources".
"""

import http.client
import json
import threading
from typing import Any

import google.auth
import google_auth_httplib2
import httplib2
from google.api_core.client_options import ClientOptions
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.oauth2.credentials import Credentials as TokenCredentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from booking_engine.errors import Unavailable

SCOPES = ["https://www.googleapis.com/auth/calendar.events"]
TIMEOUT_SECONDS = 10
RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})

Event = dict[str, Any]


class CalendarRefused(Exception):
    """Google understood and said no (access, quota, a bad request); repeating will not help."""


class EventConflict(Exception):
    """The event changed under us (412), or its id is taken (409): read it and decide again."""


class EventMissing(Exception):
    """The calendar has no such event, or has it no more."""


class GoogleCalendar:
    """The calendars of one account. Thread-safe: httplib2 is not, so each thread has its own."""

    def __init__(self, *, endpoint: str, credentials_file: str | None, token: str | None) -> None:
        self._endpoint = endpoint
        self._credentials_file = credentials_file
        self._token = token
        self._local = threading.local()

    def insert(self, calendar: str, event_id: str, body: Event) -> Event:
        """Make an event under our id; raises `EventConflict` where the id was ever used."""
        request = (
            self._service().events().insert(calendarId=calendar, body={**body, "id": event_id})
        )
        return _execute(request)

    def get(self, calendar: str, event_id: str) -> Event:
        """Return an event; a deleted one has status cancelled. Raises `EventMissing`."""
        return _execute(self._service().events().get(calendarId=calendar, eventId=event_id))

    def update(self, calendar: str, event_id: str, body: Event, *, etag: str) -> Event:
        """Replace an event if it is the one we know; raises `EventConflict`, `EventMissing`."""
        request = self._service().events().update(calendarId=calendar, eventId=event_id, body=body)
        request.headers["If-Match"] = etag
        return _execute(request)

    def delete(self, calendar: str, event_id: str) -> None:
        """Delete an event; one that is gone already is deleted."""
        try:
            _execute(self._service().events().delete(calendarId=calendar, eventId=event_id))
        except EventMissing:
            return

    def check(self, calendar: str) -> None:
        """Read a calendar; raises `CalendarRefused` or `EventMissing` without access."""
        _execute(self._service().events().list(calendarId=calendar, maxResults=1))

    def _service(self) -> Any:
        service = getattr(self._local, "service", None)
        if service is None:
            http = google_auth_httplib2.AuthorizedHttp(
                self._credentials(), http=httplib2.Http(timeout=TIMEOUT_SECONDS)
            )
            service = build(
                "calendar",
                "v3",
                http=http,
                client_options=ClientOptions(api_endpoint=self._endpoint),
                static_discovery=True,
                cache_discovery=False,
            )
            self._local.service = service
        return service

    def _credentials(self) -> Credentials:
        if self._token is not None:
            return TokenCredentials(token=self._token)  # type: ignore[no-untyped-call]
        if self._credentials_file is None:
            raise CalendarRefused(
                "set SIMSTUDIO_GOOGLE__CREDENTIALS to the file of a service account"
            )
        loaded: tuple[Credentials, str | None]
        loaded = google.auth.load_credentials_from_file(  # type: ignore[no-untyped-call]
            self._credentials_file, scopes=SCOPES
        )
        return loaded[0]


def _execute(request: Any) -> Event:
    try:
        answer: Event = _repeated_if_stale(request) or {}
    except HttpError as error:
        raise _ours(error) from error
    except GoogleAuthError as error:
        raise CalendarRefused(f"Google refuses our credentials: {error}") from error
    except (httplib2.HttpLib2Error, OSError) as error:
        raise Unavailable(f"Google did not answer: {type(error).__name__}") from error
    return answer


def _repeated_if_stale(request: Any) -> Any:
    """Execute a request; once more where the connection that was kept open turns out closed.

    Repeating is safe: ids are ours, updates carry an etag, deleting twice is deleting once.
    """
    try:
        return request.execute(num_retries=0)
    except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
        request.http.close()
        return request.execute(num_retries=0)


def _ours(error: HttpError) -> Exception:
    status, reasons = int(error.resp.status), reasons_of(error.content)
    words = f"Google answered {status} {', '.join(sorted(reasons))}".strip()
    if status in (404, 410):
        return EventMissing(words)
    if status == 412 or (status == 409 and "duplicate" in reasons):
        return EventConflict(words)
    if status in (409, 429) or status >= 500 or reasons & RATE_REASONS:
        wait = error.resp.get("retry-after", "")
        return Unavailable(words, retry_after_seconds=float(wait) if wait.isdigit() else None)
    return CalendarRefused(words)


def reasons_of(content: bytes) -> set[str]:
    """Return every error reason in a body: of both JSON forms, none for what is not JSON."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return set()
    if not isinstance(error, dict):
        return {str(error)}
    listed = [*(error.get("errors") or ()), *(error.get("details") or ())]
    return {str(each["reason"]) for each in listed if isinstance(each, dict) and "reason" in each}
