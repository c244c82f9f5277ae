"""`oms stock import` and `oms stock imports`: files of stock, followed until every record has its result."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from cli import show
from cli.asking import asking
from cli.client import Api, Json, body_of
from cli.orders import JsonOption
from cli.state import DEFAULT_STATE, StateOption

ROLE = "supply_chain"
_PORTION_BYTES = 256 * 1024
_LOOK_SECONDS = 0.2
_SHOWN_REJECTIONS = 20
_GZIP = b"\x1f\x8b"


def register(stock: typer.Typer) -> None:
    stock.command("import")(import_file)
    stock.command("imports")(list_imports)


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV or NDJSON, perhaps gzip.")],
    kind: Annotated[str, typer.Option(help="snapshot or delta")] = "snapshot",
    point: Annotated[
        list[str] | None, typer.Option(help="A point that the file speaks of; may be repeated.")
    ] = None,
    point_type: Annotated[str, typer.Option(help="Every point of this type instead.")] = "",
    brand: Annotated[list[str] | None, typer.Option(help="Of a snapshot: only items of this brand.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Of a snapshot: only items of this category.")] = None,
    zero: Annotated[
        bool | None, typer.Option("--zero/--keep", help="Whether what a snapshot leaves out has nothing.")
    ] = None,
    effective_at: Annotated[str, typer.Option(help="When it was so: ISO 8601. Of a snapshot: now.")] = "",
    source: Annotated[str, typer.Option(help="Which system sent it; a delta needs it.")] = "",
    cause: Annotated[str, typer.Option(help="Of a delta: the cause of records that have none.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Import a file of stock and follow it. Exit code 0: all applied; 1: some rejected, or the file refused."""
    if kind == "snapshot":
        effective_at = effective_at or datetime.now(UTC).isoformat()
    terms: dict[str, Any] = {
        "kind": kind,
        "format": "ndjson" if ".ndjson" in file.suffixes or ".jsonl" in file.suffixes else "csv",
        "point_id": point or [],
        "point_type": point_type,
        "brand": brand or [],
        "category": category or [],
        "absent": "" if zero is None else "zero" if zero else "keep",
        "effective_at": effective_at,
        "source": source,
        "cause": cause,
        "file_name": file.name,
    }
    with asking(state) as api:
        job = follow(api, send(api, file, {name: value for name, value in terms.items() if value}))
        rejected = list(_first_rejections(api, job["job_id"]))
    if as_json:
        typer.echo(json.dumps({**job, "rejections": rejected}, indent=2, ensure_ascii=False))
    else:
        report(job, rejected)
    if job["state"] != "done" or job["rejected"]:
        raise typer.Exit(1)


def send(api: Api, file: Path, terms: dict[str, Any]) -> Json:
    """The job that the file came to; it is read portion by portion. Raises Problem."""
    with file.open("rb") as opened:
        packed = opened.read(2) == _GZIP
        opened.seek(0)

        def portions() -> Iterator[bytes]:
            while portion := opened.read(_PORTION_BYTES):
                yield portion

        headers = {"Content-Encoding": "gzip"} if packed else {}
        return body_of(
            api.send("POST", "/v1/stock/imports", ROLE, params=terms, content=portions(), headers=headers)
        )


def follow(api: Api, job: Json) -> Json:
    """Draws how far the job is until it has ended; the job then. Raises Problem."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %")
    with Progress(*columns, console=show.console(), transient=True) as progress:
        task = progress.add_task("waiting", total=1.0)
        while job["state"] in ("received", "running"):
            progress.update(task, description=job["state"], completed=share_done(job))
            time.sleep(_LOOK_SECONDS)
            job = api.get(f"/v1/stock/imports/{job['job_id']}", ROLE)
    return job


def share_done(job: Json) -> float:
    """How far a job is, from 0 to 1: reading the file counts as much as writing what changes."""
    read = job["bytes_read"] / job["bytes"] if job["bytes"] else 0.0
    written = job["worked"] / job["planned"] if job["planned"] else 0.0
    return float(read + written) / 2


def _first_rejections(api: Api, job_id: str) -> Iterator[Json]:
    yield from api.get(f"/v1/stock/imports/{job_id}/rejections", ROLE, size=_SHOWN_REJECTIONS)["items"]


def report(job: Json, rejections: list[Json]) -> None:
    """What became of the records."""
    console = show.console()
    why = f" ({escape(job['reason'])}: {escape(job['detail'])})" if job["reason"] else ""
    console.print(f"[bold]{escape(job['job_id'])}[/]  {show.status(job['state'])}{why}")
    names = ("read", "changed", "unchanged", "late", "rejected", "zeroed", "below_zero")
    console.print("  ".join(f"{name.replace('_', ' ')} {job[name]}" for name in names))
    if rejections:
        rows = show.table("line", "reason", "detail", "record")
        for one in rejections:
            rows.add_row(str(one["line"]), one["reason"], escape(one["detail"]), escape(one["record"]))
        console.print(rows)
    more = job["late"] + job["rejected"] - len(rejections)
    if more > 0:
        console.print(f"[dim]and {more} more[/]")


def list_imports(
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List imports, newest first."""
    with asking(state) as api:
        page = api.get("/v1/stock/imports", ROLE, size=size)
    if as_json:
        typer.echo(json.dumps(page, indent=2, ensure_ascii=False))
        return
    found = show.table("import", "received", "kind", "file", "state", "read", "changed", "late", "rejected")
    for job in page["items"]:
        figures = (str(job[name]) for name in ("read", "changed", "late", "rejected"))
        kind, name = job["kind"], escape(job["file_name"])
        received = show.moment(job["received_at"])
        found.add_row(job["job_id"], received, kind, name, show.status(job["state"]), *figures)
    show.console().print(found)
