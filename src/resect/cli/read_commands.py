"""Commands that read stored results, and the lists of methods and tasks; without torch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from resect.cli.app import Json, Quiet, RunFolder, app, into
from resect.cli.output import draw, emit, noticing, say, show, show_list
from resect.cli.study_options import takes
from resect.errors import RequestError, RunError, unknown

HUB_FORMATS = ("gguf", "folder", "hub-card")


@app.command()
@takes("margin", "alpha")
def report(
    run: RunFolder,
    figures: Annotated[
        Path | None, typer.Option(help="Also save the figures here, as SVG and PNG.", callback=into)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    fields: dict[str, Any],
) -> None:
    """Rebuild report, card and summary from the stored answers."""
    from resect.running.folder import Run

    opened = Run(run)
    opened.report(**fields)
    if figures is not None:
        draw(opened, figures, quiet)
    show(opened, as_json, quiet)


@app.command("judge")
def judge_texts(
    run: RunFolder,
    base_url: Annotated[str, typer.Option(help="OpenAI-compatible address, up to /v1.")],
    model: Annotated[str, typer.Option(help="Name of the judging model there.")],
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", "--tasks", help="Tasks to grade; default: all with free-text answers."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Requests sent at the same time.")] = 4,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Have another model grade the free-text answers of a run.

    No verdict uses the grades.
    """
    from resect.running import judge, request
    from resect.running.folder import Run

    endpoint = judge.endpoint(base_url, model)
    done = judge.judge(Run(run), endpoint, model, request.names(task), workers)
    counts = (
        f"{done['graded']} texts graded now, {done['before']} graded earlier, "
        f"{done['without_grade']} replies without a grade"
    )
    emit(done, f"{counts}\n{run / 'report.html'}", as_json, quiet)


@app.command()
def audit(
    path: Annotated[Path, typer.Argument(help="Folder, file or archive with recorded answers.")],
    out: Annotated[
        Path | None, typer.Option(help="Run folder; default: runs/audit-NAME.", callback=into)
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="lobotomy, lm-eval or plain; default: detected.")
    ] = None,
    specialist: Annotated[
        str | None, typer.Option(help="Name of the specialist in the data.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Name of the base model in the data.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Analyse answers that another tool recorded."""
    from resect import recorded

    show(recorded.audit(path, out, format=form, specialist=specialist, base=base), as_json, quiet)


@app.command()
def status(
    run: RunFolder,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check all stored data against its checksums.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show how far a run is: cells, answers, speed, time left, size."""
    from resect.running import status as module
    from resect.running.folder import Run

    progress = module.status(Run(run), verify)
    emit(asdict(progress), module.shown(progress), as_json, quiet)
    if progress.damage:
        raise RunError(progress.damage)


@app.command()
def view(
    run: RunFolder,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; default: any free one.")
    ] = 0,
) -> None:
    """Browse a run: its progress while it runs, and every answer.

    It serves this machine only and changes nothing. Ctrl-C ends it.
    """
    from resect.view.http_server import serve

    serve(run, port, say)


@app.command()
def export(
    run: RunFolder,
    to: Annotated[
        str, typer.Option("--to", help="Format: csv, parquet, lm-eval, gguf, folder or hub-card.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.", callback=into)],
    version: Annotated[
        str | None, typer.Option(help="Version to export, like gguf:Q4_K_M; default: the choice.")
    ] = None,
    push_to_hub: Annotated[
        str | None, typer.Option(help="Upload the folder to this repository, OWNER/NAME.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be uploaded.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Export the answers of a run, or a version of its model.

    A version comes with a card for the hub.

    `resect audit` reads csv and lm-eval exports back.
    """
    from resect.running.folder import Run
    from resect.store.export import FORMATS
    from resect.store.export import export as answers_to

    if to in FORMATS:
        if version or push_to_hub or dry_run:
            raise RequestError("--version and --push-to-hub go with --to gguf, folder or hub-card.")
        with Run(run).reading() as store:
            written = [str(path) for path in answers_to(store, to, out, noticing(quiet))]
        emit(written, f"{len(written)} files in {out}", as_json, quiet)
        return
    if to not in HUB_FORMATS:
        raise unknown("export format", to, (*FORMATS, *HUB_FORMATS))
    if dry_run and push_to_hub is None:
        raise RequestError("--dry-run goes with --push-to-hub.")
    from resect.running import hub_upload

    made = [str(path) for path in hub_upload.export(Run(run), to, out, version, noticing(quiet))]
    told: dict[str, object] = {"files": made}
    line = f"{len(made)} files in {out}"
    if push_to_hub is not None:
        told["hub"] = hub_upload.push(out, push_to_hub, dry_run)
        line += f"; {'would be' if dry_run else 'were'} uploaded to {push_to_hub}"
    emit(told, line, as_json, quiet)


@app.command()
def diff(
    one: Annotated[Path, typer.Argument(help="Run folder, or its summary.json.")],
    other: Annotated[Path, typer.Argument(help="The run to compare it with.")],
    everything: Annotated[bool, typer.Option("--all", help="List every difference.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what changed between two runs."""
    from resect.diff import diff_report
    from resect.running.folder import changes

    difference = changes(one, other)
    lines = "\n".join(diff_report.lines(difference, everything))
    emit(difference.to_data(), lines, as_json, quiet=False)


@app.command()
def methods(as_json: Json = False, quiet: Quiet = False) -> None:
    """List the methods that a step or recipe can name."""
    from resect.spec import every_method

    show_list(
        {n: {"summary": e.summary, "level": e.dose} for n, e in every_method().items()}, as_json
    )


@app.command()
def tasks(as_json: Json = False, quiet: Quiet = False) -> None:
    """List the tasks that can be asked.

    NAME:cot asks for reasoning before the answer (label and number tasks).
    """
    from resect.tasks import listed

    shown = ("kind", "summary", "protocol", "labels", "hub", "revision", "file")
    show_list({i.name: {key: getattr(i, key) for key in shown} for i in listed()}, as_json)
