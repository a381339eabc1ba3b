"""Commands that read what is stored, and lists of what there is; without torch where they can."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from resect.cli.app import Json, Quiet, app, into
from resect.cli.output import draw, noticing, print_json, say, show, show_list
from resect.cli.study_options import takes
from resect.errors import RunError


@app.command()
@takes("margin", "alpha")
def report(
    run: Path,
    figures: Annotated[
        Path | None, typer.Option(help="Folder for SVG and PNG figures.", callback=into)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    fields: dict[str, Any],
) -> None:
    """Rebuild page, card and JSON of a run folder from its store."""
    from resect.running.folder import Run

    opened = Run(run)
    opened.report(**fields)
    if figures is not None:
        draw(opened, figures, quiet)
    show(opened, as_json, quiet)


@app.command("judge")
def judge_texts(
    run: Path,
    base_url: Annotated[str, typer.Option(help="OpenAI-compatible, up to /v1.")],
    model: Annotated[str, typer.Option(help="The judge's name there.")],
    task: Annotated[
        list[str] | None, typer.Option("--task", "--tasks", help="Default: all with free texts.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Requests at once.")] = 4,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Have another model grade the free texts of a run, which it is sent; no verdict reads it."""
    from resect.running import judge
    from resect.running.folder import Run

    asked = [name for part in task or [] for name in part.split(",")]
    done = judge.judge(Run(run), judge.endpoint(base_url, model), model, asked, workers)
    if as_json:
        print_json(done)
    elif not quiet:
        say(
            f"{done['graded']} texts graded, {done['before']} before, "
            f"{done['without_grade']} replies without a grade"
        )
        say(run / "report.html")


@app.command()
def audit(
    path: Annotated[Path, typer.Argument(help="Folder, file or archive of recorded answers.")],
    out: Annotated[
        Path | None, typer.Option(help="Run folder; default runs/audit-NAME.", callback=into)
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="lobotomy, lm-eval or plain; else recognised.")
    ] = None,
    specialist: Annotated[str | None, typer.Option(help="A model of the data.")] = None,
    base: Annotated[str | None, typer.Option(help="Another model of the data.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Analyse answers that somebody else recorded, as if they were ours."""
    from resect import recorded

    show(recorded.audit(path, out, format=form, specialist=specialist, base=base), as_json, quiet)


@app.command()
def status(
    run: Path,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare everything stored with its checksums.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show how far a run is: cells done, failed and damaged, answers, size."""
    from resect.running import status as room
    from resect.running.folder import Run

    now = room.status(Run(run), verify)
    if as_json:
        print_json(asdict(now))
    elif not quiet:
        say(room.shown(now))
    if now.damage:
        raise RunError(now.damage)


@app.command()
def export(
    run: Path,
    to: Annotated[str, typer.Option("--to", help="csv, parquet or lm-eval.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.", callback=into)],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a run's answers for other tools; csv and lm-eval can be audited again."""
    from resect.running.folder import Run
    from resect.store.export import export

    with Run(run).reading() as store:
        written = [str(path) for path in export(store, to, out, noticing(quiet))]
    if as_json:
        print_json(written)
    elif not quiet:
        say(f"{len(written)} files in {out}")


@app.command()
def diff(
    one: Path,
    other: Path,
    everything: Annotated[
        bool, typer.Option("--all", help="Every difference, a line each.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what changed between two runs, paired where rows and questions are the same."""
    from resect.diff import diff_report
    from resect.running.folder import changes

    difference = changes(one, other)
    if as_json:
        print_json(difference.to_data())
    else:
        say("\n".join(diff_report.lines(difference, everything)))


@app.command()
def methods(as_json: Json = False, quiet: Quiet = False) -> None:
    """List the methods, one line each."""
    from resect.spec import every_method

    show_list(
        {n: {"summary": e.summary, "level": e.dose} for n, e in every_method().items()}, as_json
    )


@app.command()
def tasks(as_json: Json = False, quiet: Quiet = False) -> None:
    """List the tasks, one line each; NAME:cot asks a label or number task for reasoning first."""
    from resect.tasks import listed

    shown = ("kind", "summary", "protocol", "labels", "hub", "revision", "file")
    show_list({i.name: {key: getattr(i, key) for key in shown} for i in listed()}, as_json)
