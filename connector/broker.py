"""The Celery app. Its messages are wake-ups; losing all of them loses nothing."""

from celery import Celery

TICK_SECONDS = 5
# Redis may hang rather than fail; nothing here waits longer than this for it.
SOCKET_SECONDS = 2


def make_celery(redis_url: str) -> Celery:
    """Make the Celery app: late acknowledgement, small prefetch, no results."""
    app = Celery("simstudio", broker=redis_url)
    app.conf.update(
        accept_content=["json"],
        beat_schedule={
            name: {"task": name, "schedule": seconds, "options": {"expires": 10 * seconds}}
            for name, seconds in (
                ("inbox.drain", TICK_SECONDS),
                ("orders.read", TICK_SECONDS),
                ("outbox.drain", TICK_SECONDS),
                ("book.sweep", 30),
                ("waitlist.match", 10),
                ("series.tend", 60),
                ("people.tend", 30),
            )
        },
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": 300,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": SOCKET_SECONDS,
        },
        task_acks_late=True,
        task_default_queue="simstudio",
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
    )
    return app
