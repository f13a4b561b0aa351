"""Reads from the Admin API the orders of which a delivery only said that they changed."""

import structlog

from connector.runtime import NotConfigured, Runtime
from shopify_gateway import reading

log = structlog.get_logger(__name__)


def read(runtime: Runtime) -> None:
    """Read and converge every order that is due."""
    try:
        done = reading.read_due(
            runtime.transaction, runtime.admin, privacy=runtime.settings.privacy
        )
    except NotConfigured as error:
        log.warning("orders_not_read", detail=str(error))
        return
    if done:
        runtime.wakeups.poke("outbox")
