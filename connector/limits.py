"""Limits of how often somebody may try something. Redis counts; without it nobody is refused."""

from datetime import datetime

import redis
import structlog

from booking_engine.errors import TooMany

log = structlog.get_logger(__name__)

SOCKET_SECONDS = 1


class TooManyTries(TooMany):
    """The caller has tried often enough for a while."""

    code = "too_many_tries"


class Limits:
    """Counts tries per name and window; a name is a hint and is gone with its window."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        )

    def take(self, name: str, *, most: int, seconds: int, now: datetime) -> None:
        """Count one try; raises `TooManyTries` once there were `most` in this window."""
        window, passed = divmod(int(now.timestamp()), seconds)
        key = f"limit:{name}:{window}"
        try:
            with self._redis.pipeline() as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, seconds)
                count = int(pipeline.execute()[0])
        except redis.RedisError as error:
            log.warning("limit_not_counted", error=type(error).__name__)
            return
        if count > most:
            raise TooManyTries("try again later", retry_after_seconds=seconds - passed)
