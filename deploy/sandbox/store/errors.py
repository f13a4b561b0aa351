"""What the store says no to."""


class Refused(Exception):
    """A rule said no; the message is for the person who asked."""

    status = 422


class NotFound(Refused):
    """There is no such thing."""

    status = 404


class WrongMethod(Refused):
    """That cannot be done here."""

    status = 405
