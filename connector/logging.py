"""Structured logs: one JSON object a line, with the request's or the task's id on each."""

import logging
import sys
from typing import Literal

import structlog

# Whatever has one of these names is cut before it is written, wherever it was logged.
SECRET_KEYS = frozenset(
    {"authorization", "body", "client_secret", "email", "first_name", "last_name", "password"}
    | {"payload", "phone", "query", "secret", "signature", "token", "url"}
)


def configure(log_format: Literal["json", "console"], *, quiet: bool = False) -> None:
    """Set up structlog and send the libraries' own logs through it; quiet means warnings only."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secrets,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING if quiet else logging.INFO)
    for name in ("httpx", "googleapiclient", "uvicorn.access", "celery.worker.strategy"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_secrets(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: "[cut]" if key in SECRET_KEYS else value for key, value in event.items()}
