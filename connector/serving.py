"""What each process of `simstudio serve` starts with."""

from fastapi import FastAPI

from connector import logging, runtime, settings
from connector.app import create_app


def make_app() -> FastAPI:
    """Make the application from the environment's settings."""
    found = settings.read()
    logging.configure(found.log_format)
    return create_app(runtime.make(found))
