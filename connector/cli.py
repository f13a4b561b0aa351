"""`simstudio`: the commands."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from booking_engine.catalog import queries, studio_file
from booking_engine.errors import Invalid, NotFound, Unavailable
from connector import apply as applying
from connector import audit as auditing
from connector import doctor as doctoring
from connector import keys, liability, logging, migrate, proof, runtime, settings, verify, worker
from connector.runtime import NotConfigured, Runtime
from connector.tables import Role
from shopify_gateway import closing
from shopify_gateway.admin import AdminRefused

app = typer.Typer(
    help="Runs a sim studio's bookings: Shopify sells, PostgreSQL decides, Google Calendar shows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="Staff API keys.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
report_app = typer.Typer(help="Reports for the studio's books.", no_args_is_help=True)
app.add_typer(report_app, name="report")
# A line is a line, however narrow the terminal or the pipe.
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


def _runtime(*, statement_timeout_seconds: int = 60, quiet: bool = True) -> Runtime:
    found = _settings()
    logging.configure(found.log_format, quiet=quiet)
    return runtime.make(found, statement_timeout_seconds=statement_timeout_seconds)


def _settings() -> settings.Settings:
    try:
        return settings.read()
    except ValidationError as error:
        err.print("[bold]The settings are not complete.[/bold]")
        for each in error.errors():
            for name in settings.variables(each["loc"]):
                err.print(f"  {name}: {each['msg']}", highlight=False)
        raise typer.Exit(2) from None


@app.command()
def serve() -> None:
    """Serve the API (SIMSTUDIO_API__HOST, SIMSTUDIO_API__PORT, SIMSTUDIO_API__WORKERS)."""
    found = _settings()
    uvicorn.run(
        "connector.serving:make_app",
        factory=True,
        host=found.api.host,
        port=found.api.port,
        workers=found.api.workers,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        # Longer than any proxy in front keeps an idle connection for reuse.
        timeout_keep_alive=75,
    )


@app.command("worker")
def run_worker(
    threads: Annotated[int, typer.Option(help="Drains that run at once.")] = 4,
) -> None:
    """Run a worker: webhooks into credits and bookings, bookings into calendars."""
    worker.start(_runtime(quiet=False), threads=threads)


@app.command("beat")
def run_beat(
    schedule: Annotated[Path, typer.Option(help="Where the beat keeps its schedule.")] = Path(
        "celerybeat-schedule"
    ),
) -> None:
    """Run the beat, the clock of the workers. One is enough; two do no harm."""
    worker.start_beat(_runtime(quiet=False), schedule_file=str(schedule))


@app.command("migrate")
def run_migrations() -> None:
    """Bring the database's schema to this version."""
    migrate.upgrade(_runtime().settings.database_url)
    out.print("The schema is at its head.")


@app.command("apply")
def apply_file(
    file: Annotated[Path, typer.Argument(help="The studio.toml.", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
    with_migrations: Annotated[
        bool, typer.Option("--migrate", help="Bring the schema to this version first.")
    ] = False,
) -> None:
    """Bring the catalogue to what studio.toml says; a second run has nothing to do."""
    if with_migrations:
        run_migrations()
    try:
        wanted = studio_file.read(file.read_text(encoding="utf-8"), name=str(file))
        changes = applying.run(_runtime(), wanted, now=datetime.now(UTC), dry_run=dry_run)
    except (studio_file.StudioFileError, applying.Stranded) as error:
        for line in str(error).splitlines():
            err.print(line, markup=False, highlight=False)
        err.print("Nothing was changed.")
        raise typer.Exit(1) from None
    except UnicodeDecodeError as error:
        err.print(f"{file}: not UTF-8 text ({error.reason}). Nothing was changed.")
        raise typer.Exit(1) from None
    for change in changes:
        out.print(str(change), markup=False, highlight=False)
    if not changes:
        out.print("nothing to do")
    elif dry_run:
        out.print("Dry run: nothing was changed.")


@app.command("verify")
def run_verify(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Prove the promises over the whole database; exit 1 and a line for each violation."""
    house = _runtime(statement_timeout_seconds=600)
    found = []
    with house.transaction() as session, Progress(console=err, disable=as_json) as progress:
        for check in progress.track(verify.CHECKS, description="verifying"):
            broken = verify.violations(session, check)
            found += broken
            if not as_json:
                out.print(f"{'ok  ' if not broken else 'FAIL'} {check.name}", highlight=False)
    if as_json:
        rows = [
            {"check": each.check, "studio": each.studio_id, "what": each.what} for each in found
        ]
        out.print_json(json.dumps({"checks": len(verify.CHECKS), "violations": rows}))
    else:
        for each in found:
            out.print(f"studio {each.studio_id}: {each.what}", highlight=False, markup=False)
    raise typer.Exit(1 if found else 0)


@app.command("audit")
def run_audit(
    since: Annotated[
        str | None, typer.Option(help="RFC 3339 instant or date; default: 60 days ago.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(help="Prove a report that --json wrote.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Pull the shop's orders, recompute what they entitle to, repair; exit 1 after a repair."""
    if check is not None:
        _check_report(check)
    try:
        start = auditing.since(since, now=datetime.now(UTC))
    except ValueError as error:
        err.print(str(error))
        raise typer.Exit(2) from None
    house = _runtime()
    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} orders"), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=as_json) as progress:
        task = progress.add_task("orders", total=None)
        reports = auditing.run(house, start, on_order=lambda: progress.advance(task))
    if as_json:
        out.print_json(json.dumps([report.as_json() for report in reports]))
    else:
        _print_audit(reports)
    raise typer.Exit(1 if any(report.differences for report in reports) else 0)


def _print_audit(reports: list[auditing.Report]) -> None:
    table = Table("shop", "orders", "units", "granted", "revoked", "differences")
    for report in reports:
        table.add_row(*report.cells())
    out.print(table)
    for report in reports:
        for each in report.found:
            out.print(f"{report.shop} {each['order']}: {each['what']}", markup=False)
        out.print(f"{report.shop} inputs {report.inputs}", highlight=False)
        out.print(f"{report.shop} signature {report.signature}", highlight=False)


def _check_report(file: Path) -> NoReturn:
    """Say of each report in a file whether it is ours and unchanged; exit 1 where one is not."""
    try:
        reports = proof.read(file.read_text(encoding="utf-8"))
    except ValueError as error:
        err.print(f"{file}: {error}", markup=False)
        raise typer.Exit(2) from None
    secrets = _settings().shopify.secrets
    proven = [proof.is_ours(report, secrets) for report in reports]
    for report, is_ours in zip(reports, proven, strict=True):
        said = "signed here and unchanged" if is_ours else "not signed here, or changed since"
        out.print(f"{report.get('shop')} {report.get('at')}: {said}", markup=False)
    raise typer.Exit(0 if proven and all(proven) else 1)


@report_app.command("liability")
def report_liability(
    month: Annotated[str | None, typer.Option(help="As 2026-11; default: this month.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Print what is owed in sold credits: opening + sold - used - expired - revoked = closing."""
    now = datetime.now(UTC)
    with _runtime(statement_timeout_seconds=600).transaction() as session:
        reports = []
        for studio_id in queries.all_ids(session):
            studio = queries.load(session, studio_id=studio_id)
            reports.append(liability.report(session, studio=studio, month=month, now=now))
    if as_json:
        out.print_json(json.dumps(reports))
        return
    for each in reports:
        title = f"{each['shop']} {each['month']}, money in minor units of {each['currency']}"
        table = Table("", "minutes", "money", "coaching", "money", "deferred", title=title)
        for row in liability.rows(each):
            table.add_row(*row)
        out.print(table)


@app.command("shop-exports")
def print_shop_exports(
    shop: Annotated[str | None, typer.Option(help="Of this shop alone.")] = None,
) -> None:
    """Print what was kept of shops that were erased, one JSON document a line; for 30 days."""
    with _runtime(statement_timeout_seconds=600).transaction() as session:
        for part in closing.exports(session, shop=shop):
            sys.stdout.write(f"{json.dumps(part)}\n")


@app.command("doctor")
def run_doctor() -> None:
    """Look at everything that the studio needs; a line each, with the cure."""
    findings = doctoring.examine(_runtime())
    for finding in findings:
        mark = "[green]ok  [/green]" if finding.is_well else "[red]FAIL[/red]"
        out.print(f"{mark} {finding.what}", highlight=False)
        if finding.cure:
            out.print(f"     {finding.cure}", highlight=False, markup=False)
    raise typer.Exit(0 if all(finding.is_well for finding in findings) else 1)


def main() -> None:
    """Run a command; a neighbour that is away is a sentence, not a stack trace."""
    try:
        app()
    except (Invalid, Unavailable, NotConfigured, NotFound, AdminRefused) as error:
        err.print(str(error), markup=False, highlight=False)
        sys.exit(2)


@keys_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Whose key this is; unique in the studio.")],
    role: Annotated[Role, typer.Option(help="What the key may do.")] = Role.OWNER,
    shop: Annotated[str | None, typer.Option(help="Which studio, where there are several.")] = None,
) -> None:
    """Make a staff key and print it, once; a second call with the same name replaces it."""
    with _runtime().transaction() as session:
        studio_id = queries.id_of_shop(session, shop=shop) if shop else queries.only_id(session)
        key = keys.add(session, studio_id=studio_id, name=name, role=role, now=datetime.now(UTC))
    sys.stdout.write(f"{key}\n")


@app.command(
    "sandbox",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def run_sandbox(context: typer.Context) -> None:
    """Run the studio on this machine: servers, connector, a shop and calendars to play with."""
    # A program of its own, which knows the connector only as processes and over HTTP.
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *context.args])  # noqa: S606
