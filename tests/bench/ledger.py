"""The ledger under weight: `simstudio verify` over a million transfers, and transfers a second.

The yardstick of transfers is pgbench, which ships with PostgreSQL, with the very statements that
the ledger sends; so the ratio says what our own code costs.
"""

import os
import random
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import seeding
from rich.console import Console

from booking_engine.ledger import transfers, wallets
from booking_engine.ledger.models import Bucket
from booking_engine.ledger.transfers import Cause
from connector import migrate, runtime
from sandbox import servers

WALLETS, LOTS, MOVES = 20_000, 100_000, 10
GRANTED = 1_000_000
NO_REDIS = "redis://127.0.0.1:1/0"
CLIENTS, SECONDS, ROUNDS = 8, 4, 3
out = Console(width=120)
Row = tuple[str, dict[str, float], float | None, float | None]

# Of each lot four hours were played and one is held.
FILL = f"""
    SET session_replication_role = replica;
    INSERT INTO studio (shop, name, currency, policy, coaching, revision, created_at)
        VALUES ('bench.myshopify.com', 'Bench', 'CAD', '{{}}', '{{}}', 1, now());
    INSERT INTO wallet (studio_id, id, created_at)
        SELECT 1, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, now()
        FROM generate_series(0, {WALLETS - 1}) n;
    INSERT INTO lot (studio_id, id, wallet_id, kind, granted, available, held, spent, expired,
                     revoked, source, paid_minor, priority, granted_at)
        SELECT 1, ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
               ('00000000-0000-7000-8000-' || lpad(to_hex(n % {WALLETS}), 12, '0'))::uuid,
               'simulator_minutes', {GRANTED}, {GRANTED} - 300, 60, 240, 0, 0, 'bench:' || n,
               40000, 50, now()
        FROM generate_series(0, {LOTS - 1}) n;
    INSERT INTO draw (studio_id, booking_id, lot_id, quantity, held)
        SELECT 1, gen_random_uuid(), id, 60, 60 FROM lot;
    INSERT INTO transfer (studio_id, key, lot_id, from_bucket, to_bucket, quantity, reason,
                          reference, actor, at)
        SELECT 1, 'bench:' || n || ':' || step,
               ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
               CASE WHEN step = 0 THEN 'issued' WHEN step % 2 = 1 THEN 'available' ELSE 'held' END,
               CASE WHEN step = 0 THEN 'available' WHEN step % 2 = 1 THEN 'held' ELSE 'spent' END,
               CASE WHEN step = 0 THEN {GRANTED} ELSE 60 END, 'bench', 'bench', 'bench', now()
        FROM generate_series(0, {MOVES - 1}) step, generate_series(0, {LOTS - 1}) n;
    SET session_replication_role = origin;
"""
# What `wallets.lock` and `transfers.move` send, one minute from available to spent.
PGBENCH = """
\\set wallet random({first}, {last})
\\set lot :wallet + {wallets} * random(0, {each})
BEGIN;
SELECT id FROM wallet WHERE studio_id = 1
    AND id = ('00000000-0000-7000-8000-' || lpad(to_hex(:wallet::bigint), 12, '0'))::uuid
    FOR NO KEY UPDATE;
{move};
COMMIT;
"""


def measure(server_url: str, folder: Path) -> list[Row]:
    """Fill a database of its own, measure, and return the rows of the benchmark's table."""
    url = f"{server_url.rpartition('/')[0]}/ledger"
    servers.create_database(url)
    migrate.upgrade(url.replace("postgresql://", "postgresql+psycopg://"))
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL)
        connection.execute("VACUUM ANALYZE")
        count = connection.execute("SELECT count(*) FROM transfer").fetchone()[0]
        binaries = connection.execute(
            "SELECT setting FROM pg_config WHERE name = 'BINDIR'"
        ).fetchone()[0]
    out.print(f"ledger: {count:,} transfers filled in {time.monotonic() - began:.0f} s")
    rows = [_verify(url, count)]
    for words, last in (("one wallet", 0), ("many wallets", WALLETS - 1)):
        theirs, ours = [], []
        for _ in range(ROUNDS):
            theirs.append(_pgbench(Path(binaries), url, folder, last))
            ours.append(_transfers(url, last))
        ideal, own = (
            sorted(each, key=lambda result: result["per_second"])[ROUNDS // 2]
            for each in (theirs, ours)
        )
        rows.append((f"pgbench, the same statements, {words}", ideal, None, None))
        ratio = own["per_second"] / ideal["per_second"]
        rows.append((f"transfers / pgbench, {words}, {CLIENTS} clients", own, ratio, None))
    return rows


def _verify(url: str, count: int) -> Row:
    """Run the command as an owner does, and watch what it and its backends need."""
    simstudio = str(Path(sys.executable).parent / "simstudio")
    environment = {**os.environ, **seeding.environment(url, NO_REDIS)}
    began = time.monotonic()
    process = subprocess.Popen(
        [simstudio, "verify"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    peak = {"verify": 0, "PostgreSQL": 0}
    with psycopg.connect(url, autocommit=True) as connection:
        while process.poll() is None:
            backends = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            ).fetchall()
            peak["verify"] = max(peak["verify"], _own_memory(process.pid))
            peak["PostgreSQL"] = max(
                peak["PostgreSQL"], sum(_own_memory(pid) for (pid,) in backends)
            )
            time.sleep(0.02)
    seconds = time.monotonic() - began
    if process.returncode != 0:
        raise SystemExit(f"verify found something:\n{process.stdout.read()}")
    memory = ", ".join(f"{name} {size // 1024} MB" for name, size in peak.items())
    out.print(f"ledger: verified in {seconds:.1f} s with start-up; peak memory {memory}")
    result = {"per_second": count / seconds, "p50_ms": seconds * 1000, "p99_ms": seconds * 1000}
    return f"verify, {count:,} transfers", result, None, None


def _own_memory(pid: int) -> int:
    """Return a process's memory in kB without what it shares with others."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


def _pgbench(binaries: Path, url: str, folder: Path, last: int) -> dict[str, float]:
    lot = "('00000000-0000-7000-9000-' || lpad(to_hex(:lot::bigint), 12, '0'))::uuid"
    move = f"WITH {transfers.posting(Bucket.AVAILABLE, Bucket.SPENT)} SELECT id FROM moved"
    for name, value in {
        "studio_id": "1",
        "lot_ids": f"ARRAY[{lot}]",
        "quantities": "ARRAY[1]",
        "keys": "ARRAY[gen_random_uuid()::text]",
        "reason": "'bench'",
        "reference": "'bench'",
        "actor": "'bench'",
        "at": "now()",
    }.items():
        move = move.replace(f"%({name})s", value)
    script = folder / "transfers.pgbench"
    each = LOTS // WALLETS - 1
    script.write_text(PGBENCH.format(first=0, last=last, wallets=WALLETS, each=each, move=move))
    command = [str(binaries / "pgbench"), "--no-vacuum", "--protocol=prepared", "--log"]
    command += [f"--client={CLIENTS}", f"--time={SECONDS}", f"--file={script}", url]
    done = subprocess.run(command, capture_output=True, cwd=folder, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    latencies = []
    for log in folder.glob("pgbench_log.*"):
        latencies += [int(line.split()[2]) / 1000 for line in log.read_text().splitlines()]
        log.unlink()
    return _summary(latencies, SECONDS)


def _transfers(url: str, last: int) -> dict[str, float]:
    house = runtime.make(seeding.chosen(url, NO_REDIS))
    latencies: list[list[float]] = [[] for _ in range(CLIENTS)]
    until = time.monotonic() + SECONDS

    def client(number: int) -> None:
        draw = random.Random(number)
        while (began := time.monotonic()) < until:
            wallet = draw.randint(0, last)
            lot = wallet + WALLETS * draw.randint(0, LOTS // WALLETS - 1)
            with house.transaction() as session:
                wallets.lock(session, studio_id=1, wallet_id=_id("8", wallet))
                transfers.move(
                    session,
                    studio_id=1,
                    lot_id=_id("9", lot),
                    buckets=(Bucket.AVAILABLE, Bucket.SPENT),
                    quantity=1,
                    key=str(uuid.uuid4()),
                    cause=Cause("bench", "bench", "bench", datetime.now(UTC)),
                )
            latencies[number].append((time.monotonic() - began) * 1000)

    threads = [threading.Thread(target=client, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.engine.dispose()
    return _summary([each for mine in latencies for each in mine], SECONDS)


def _id(block: str, number: int) -> UUID:
    return UUID(f"00000000-0000-7000-{block}000-{number:012x}")


def _summary(latencies: list[float], seconds: float) -> dict[str, float]:
    ordered = sorted(latencies)
    return {
        "per_second": len(ordered) / seconds,
        "p50_ms": ordered[len(ordered) // 2],
        "p99_ms": ordered[len(ordered) * 99 // 100],
    }
