"""What the domain says when a rule says no.

DomainError
├── Invalid       the request itself cannot be meant
├── NotFound      no such thing here (or not yours)
├── Forbidden     it exists, this caller may not
├── Conflict      the state of the book forbids it now
├── Gone          it was there, its time has passed
├── Unfunded      not enough credits
└── TooMany       a limit of this caller is reached
Unavailable       a neighbour did not answer; the only error that is retried
"""


class DomainError(Exception):
    """A rule said no: `code` names the rule, `facts` carry what decided."""

    code = "invalid"

    def __init__(self, detail: str, *, code: str | None = None, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts
        if code is not None:
            self.code = code


class Invalid(DomainError):
    """The request cannot be meant: a bad value, an impossible time, an unknown name."""


class NotFound(DomainError):
    """No such thing in this studio, or it belongs to somebody else."""

    code = "not_found"


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    code = "forbidden"


class Conflict(DomainError):
    """The present state of the book or the ledger forbids it."""

    code = "conflict"


class Gone(DomainError):
    """It existed and its time has passed."""

    code = "gone"


class Unfunded(DomainError):
    """The wallet does not hold the credits that this costs."""

    code = "not_enough_credits"


class TooMany(DomainError):
    """A limit of this caller is reached; `retry_after_seconds` says when to come back."""

    code = "too_many"

    def __init__(self, detail: str, *, retry_after_seconds: int, **facts: object) -> None:
        super().__init__(detail)
        self.facts = {"retry_after_seconds": retry_after_seconds, **facts}
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Exception):
    """A neighbour (database, Shopify, Google) did not answer; trying again may help."""

    def __init__(self, detail: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
