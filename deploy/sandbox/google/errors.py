"""What Google says when it refuses, in the three shapes it uses."""

from typing import Any

DOMAINS = {
    "rateLimitExceeded": "usageLimits",
    "userRateLimitExceeded": "usageLimits",
    "quotaExceeded": "usageLimits",
    "fullSyncRequired": "calendar",
    "updatedMinTooLongAgo": "calendar",
    "timeRangeEmpty": "calendar",
    "forbiddenForNonOrganizer": "calendar",
    "requiredAccessLevel": "calendar",
}
MESSAGES = {
    "authError": "Invalid Credentials",
    "backendError": "Backend Error",
    "fullSyncRequired": "Sync token is no longer valid, a full sync is required.",
    "quotaExceeded": "Calendar usage limits exceeded.",
    "rateLimitExceeded": "Rate Limit Exceeded",
    "userRateLimitExceeded": "User Rate Limit Exceeded",
}
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    410: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class GoogleError(Exception):
    """A refusal with Google's status and reason."""

    def __init__(self, status: int, reason: str, message: str, *, location: str = "") -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.location = status, reason, message, location

    def body(self) -> dict[str, Any]:
        """Return the JSON form."""
        domain = DOMAINS.get(self.reason, "global")
        detail = {"domain": domain, "reason": self.reason, "message": self.message}
        if self.location:
            kind = "header" if self.location[0].isupper() else "parameter"
            detail |= {"locationType": kind, "location": self.location}
        return {"error": {"errors": [detail], "code": self.status, "message": self.message}}


def invalid(message: str, *, location: str = "") -> GoogleError:
    """Return a plain bad request."""
    return GoogleError(400, "invalid", message, location=location)


def not_found() -> GoogleError:
    """Return what Google says of a thing that is not there, or not yours."""
    return GoogleError(404, "notFound", "Not Found")


def with_details(error: GoogleError) -> dict[str, Any]:
    """Return the newer form, which repeats the reason in `details`."""
    body = error.body()
    body["error"]["status"] = STATUS_NAMES.get(error.status, "UNKNOWN")
    body["error"]["details"] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.reason,
            "domain": "calendar-json.googleapis.com",
        }
    ]
    return body


def as_text(error: GoogleError) -> str:
    """Return the page a front end of Google's serves in place of JSON."""
    title = f"Error {error.status} ({error.message})!!1"
    return f"<!DOCTYPE html><html lang=en><title>{title}</title><p>{error.message}</p></html>\n"
