"""`make prove`: book and ledger against trying everything, plain paper, bad luck, and crowds.

Everything runs on servers of its own on this machine's loopback, and is gone afterwards.
"""

import argparse
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import create_engine
from sqlmodel import Session

from connector import logging
from connector.runtime import Runtime
from tests.factories import houses
from tests.factories.studio import apply_demo
from tests.prove import histories, ledger_machine, ledger_races, machine, races, stored_days
from tests.prove.ledger_stage import LedgerStage
from tests.prove.stage import Stage

STORED_EVERY = 10  # one day of so many goes through a real database as well
STEPS = 40
DAYS, RUNS, ROUNDS = 5_000, 60, 100
HISTORIES, LEDGER_ROUNDS = 1_000, 200
LEDGER_RUNS, LEDGER_STEPS = 150, 30
SHOWN = 20
out = Console(width=120)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove what is asked for; returns 1 where anything was violated."""
    parser = argparse.ArgumentParser(
        prog="tests/prove/main.py",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = ["days", "machine", "races", "histories", "ledger", "ledger-races", "all"]
    parser.add_argument("what", nargs="?", choices=names, default="all")
    parser.add_argument("--days", type=int, default=DAYS, help=f"random days ({DAYS})")
    rounds = f"runs of the machine ({RUNS}), rounds of each race ({ROUNDS}), of a ledger's crowds"
    parser.add_argument("--rounds", type=int, help=f"{rounds} ({LEDGER_ROUNDS})")
    number = f"lives of orders ({HISTORIES})"
    parser.add_argument("--histories", type=int, default=HISTORIES, help=number)
    parser.add_argument("--runs", type=int, default=LEDGER_RUNS, help=f"of ledger ({LEDGER_RUNS})")
    steps = f"in each of those runs ({LEDGER_STEPS})"
    parser.add_argument("--steps", type=int, default=LEDGER_STEPS, help=steps)
    parser.add_argument("--seed", type=int, default=20261120, help="repeats a former run exactly")
    asked = parser.parse_args(arguments)
    logging.configure("console", quiet=True)
    # Told to end in either way, it ends what it started first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    proofs: dict[str, Callable[[], list[str]]] = {
        "days": lambda: prove_days(asked.days, asked.seed),
        "machine": lambda: prove_machine(asked.rounds or RUNS, asked.seed),
        "races": lambda: prove_races(asked.rounds or ROUNDS),
        "histories": lambda: prove_histories(asked.histories, asked.seed),
        "ledger": lambda: prove_ledger(asked.runs, asked.steps, asked.seed),
        "ledger-races": lambda: prove_ledger_races(asked.rounds or LEDGER_ROUNDS, asked.seed),
    }
    wanted = list(proofs) if asked.what == "all" else [asked.what]
    violated = 0
    for name in wanted:
        began = time.monotonic()
        wrong = proofs[name]()
        violated += len(wrong)
        for each in wrong[:SHOWN]:
            out.print(each, markup=False, style="red")
        words = f"{len(wrong)} violations" if wrong else "no violation"
        out.print(f"{name}: {words}, {time.monotonic() - began:.0f} s, seed {asked.seed}\n")
    return 1 if violated else 0


def prove_days(number: int, seed: int) -> list[str]:
    """Compare random days with trying everything."""
    with (
        houses.own_folder() as folder,
        houses.own_postgres(folder) as url,
        houses.migrated(url) as template,
    ):
        engine = create_engine(template.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection, Session(connection) as session:
            numbers = track(range(number), "days", console=out)
            *_, tally = stored_days.run(session, numbers=numbers, seed=seed, every=STORED_EVERY)
            session.rollback()
        engine.dispose()
    figures = {name: value for name, value in vars(tally).items() if name != "mismatches"}
    _print("days", [*figures.items(), ("mismatches", len(tally.mismatches))])
    return tally.mismatches


def prove_machine(runs: int, seed: int) -> list[str]:
    """Let everything happen in any order, and compare every step with paper."""
    wrong: list[str] = []
    with (
        houses.own_folder() as folder,
        houses.own_postgres(folder) as url,
        houses.own_redis(folder) as redis_url,
        houses.migrated(url) as template,
    ):

        def open_house() -> Runtime:
            if Stage.runs % 10 == 0:
                out.print(f"machine: {Stage.runs} runs, {Stage.steps} steps", highlight=False)
            database = houses.copy_of(template)
            return houses.make_house(database, redis_url, database={"pool_size": 3})

        try:
            machine.run(open_house, runs=runs, steps=STEPS, seed_number=seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
            wrong = ["\n".join([repr(error), *getattr(error, "__notes__", [])])]
    rows: list[tuple[str, object]] = [("runs", Stage.runs), ("steps", Stage.steps)]
    _print("machine", [*rows, *_by_rule(Stage.counts)])
    return wrong


def prove_races(rounds: int) -> list[str]:
    """Let crowds want the same at once, spread over four processes."""
    wrong: list[str] = []
    goal = f"over {races.GOAL_SECONDS * 1000:.0f}"
    table = Table("race, slowest answer of a round in ms", "rounds", "median", "p99", "max", goal)
    table.add_column("answers")
    with races.world(processes=4) as world:
        for race in races.RACES:
            results = list(track(races.run(world, race, rounds), race.name, rounds, console=out))
            wrong += [each for result in results for each in result.wrong]
            table.add_row(race.name, *races.summary(results))
        broken, waits = races.aftermath(world), races.lock_waits(world)
    out.print(table)
    out.print(f"deadlocks and broken promises: {len(broken)}, lock waits over a second: {waits}")
    return wrong + broken


def prove_histories(number: int, seed: int) -> list[str]:
    """Tell lives of orders badly, audit once, and compare with the same lives told well."""
    with _studios(2) as (told, plain):
        tally = histories.run(told, plain, number=number, seed=seed)
    _print("histories", [each for each in vars(tally).items() if each[0] != "wrong"])
    return tally.wrong


def prove_ledger(runs: int, steps: int, seed: int) -> list[str]:
    """Let every verb of the ledger happen in any order, and compare every step with paper."""
    wrong: list[str] = []
    with (
        houses.own_folder() as folder,
        houses.own_postgres(folder) as url,
        houses.own_redis(folder) as redis_url,
        houses.migrated(url) as template,
    ):

        @contextlib.contextmanager
        def open_house() -> Iterator[Runtime]:
            if LedgerStage.runs % 25 == 0:
                count = f"{LedgerStage.runs} runs, {LedgerStage.steps} steps"
                out.print(f"ledger: {count}", highlight=False)
            with houses.copied(template, redis_url) as house:
                yield house

        try:
            ledger_machine.run(open_house, runs=runs, steps=steps, seed_number=seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
            wrong = ["\n".join([str(error), *getattr(error, "__notes__", [])])]
    done: list[tuple[str, object]] = [
        ("runs x steps", f"{LedgerStage.runs} x {steps}"),
        ("steps compared", LedgerStage.steps),
    ]
    _print("ledger", [*done, *_by_rule(LedgerStage.counts)])
    return wrong


def prove_ledger_races(rounds: int, seed: int) -> list[str]:
    """Let crowds of 16 to 32 threads at one wallet's last credits."""
    with _studios(1) as (house,):
        tally = ledger_races.run(house, rounds=rounds, seed=seed)
    _print("ledger races", [each for each in vars(tally).items() if each[0] != "wrong"])
    return tally.wrong


@contextlib.contextmanager
def _studios(count: int) -> Iterator[list[Runtime]]:
    """Open so many houses with the demo studio, on servers of their own."""
    with (
        houses.own_folder() as folder,
        houses.own_postgres(folder) as url,
        houses.own_redis(folder) as redis_url,
        houses.migrated(url) as template,
    ):
        made = [
            houses.make_house(houses.copy_of(template), redis_url, database={"pool_size": 40})
            for _ in range(count)
        ]
        for house in made:
            with house.transaction() as session:
                apply_demo(session)
        yield made
        for house in made:
            house.engine.dispose()


def _by_rule(counts: Counter[tuple[str, str]]) -> Iterable[tuple[str, object]]:
    rules = sorted({rule for rule, _ in counts})
    for rule in rules:
        ends = {end: count for (name, end), count in counts.items() if name == rule}
        total = sum(ends.values())
        words = ", ".join(f"{end} {count}" for end, count in sorted(ends.items()))
        yield rule, f"{total:>6}  ({words})" if list(ends) != ["done"] else f"{total:>6}"


def _print(title: str, rows: Iterable[tuple[str, object]]) -> None:
    table = Table(title=title, show_header=False)
    for name, value in rows:
        table.add_row(name.replace("_", " "), str(value))
    out.print(table)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
