"""The migrated schema is the one that the tables declare, to the last constraint."""

import subprocess
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import create_engine

from connector.tables import metadata

CATALOGUE = r"""
    SELECT 'column', table_name, column_name,
           concat_ws(' ', data_type, is_nullable, column_default, is_identity)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname,
           pg_get_constraintdef(oid) || ' ' || condeferrable || ' ' || condeferred
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', proname, '', regexp_replace(prosrc, '\s+', ' ', 'g')
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prolang IN (
        SELECT oid FROM pg_language WHERE lanname IN ('plpgsql', 'sql'))
    ORDER BY 1, 2, 3
"""


def catalogue(url: str) -> set[tuple[str, ...]]:
    """Read everything that a schema promises; Alembic alone sees no EXCLUDE and no CHECK."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(CATALOGUE).fetchall()
    return {row for row in rows if row[1] != "alembic_version"}


@pytest.fixture
def declared(new_database: Callable[[], str]) -> str:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute("CREATE EXTENSION btree_gist")
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)
    engine.dispose()
    return url


def test_migrations_make_what_the_tables_declare(
    declared: str, new_database: Callable[[], str]
) -> None:
    migrated = catalogue(new_database())

    assert migrated == catalogue(declared)
    assert any("EXCLUDE USING gist" in row[3] for row in migrated)


def test_a_lost_exclusion_constraint_is_noticed(
    declared: str, new_database: Callable[[], str]
) -> None:
    with psycopg.connect(declared, autocommit=True) as connection:
        connection.execute("ALTER TABLE allocation DROP CONSTRAINT allocation_no_overlap")

    assert catalogue(new_database()) != catalogue(declared)


def test_every_table_keeps_studios_apart(declared: str) -> None:
    keys = [row for row in catalogue(declared) if row[0] == "constraint" and row[1] != "studio"]

    for _, table, name, definition in keys:
        if definition.startswith(("PRIMARY", "UNIQUE", "EXCLUDE", "FOREIGN")):
            assert "studio_id" in definition, f"{table}.{name}"


def test_there_is_one_head() -> None:
    heads = subprocess.run(
        ["git", "grep", "-c", "^down_revision = None", "--", "migrations/versions"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert heads.stdout.count(":1") == 1
