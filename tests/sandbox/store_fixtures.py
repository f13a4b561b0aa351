"""The running store, as fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.store_world import SCHEMA, Connector, Store, eventually

KIND = {"duplicate": 1, "delay": 0, "drop": 0, "reorder": 0, "hold": False, "seed": None}


@pytest.fixture(scope="module")
def listening() -> Iterator[Connector]:
    """Run one connector for a module's tests."""
    connector = Connector()
    connector.start()
    yield connector
    connector.server.shutdown()
    connector.server.server_close()


@pytest.fixture(scope="module")
def selling(listening: Connector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Run one store for a module's tests."""
    schema = SCHEMA if SCHEMA.exists() else None
    store = Store(tmp_path_factory.mktemp("store"), listening.url, schema)
    store.start()
    yield store
    store.kill()


@pytest.fixture
def connector(listening: Connector) -> Connector:
    """Return the connector, well and with nothing heard."""
    listening.status = 200
    listening.heard.clear()
    return listening


@pytest.fixture
def store(selling: Store, connector: Connector) -> Store:
    """Return the store, with a kind road and an empty cart."""
    selling.http.cookies.clear()
    selling.switch(**KIND)
    eventually(selling.is_quiet)
    connector.heard.clear()
    return selling


@pytest.fixture
def own_store(connector: Connector, tmp_path: Path) -> Iterator[Store]:
    """Run a store that a test may kill."""
    store = Store(tmp_path, connector.url)
    store.start()
    yield store
    store.kill()
