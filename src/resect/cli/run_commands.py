"""Commands that ask models: demo, run, eval."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from resect.cli.app import Engine, Json, Out, Quiet, Trust, Unsafe, app
from resect.cli.output import noticing, show
from resect.cli.study_options import ASKING, every, takes
from resect.errors import RequestError, RunError, Stopped

Tasks = typer.Option(
    "--task", "--tasks", help="Task names; repeat, or commas.", rich_help_panel="Questions"
)
_MODELS, _RECIPES, _RUNNING = "Models", "Recipes", "Running"


@app.command()
def demo(
    out: Out = None,
    moe: Annotated[
        bool, typer.Option("--moe", help="Mixtures of experts, experts cut out.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a full study of the embedded pair: no network, about a minute."""
    from resect.clinic import DEMO, DEMO_MOE
    from resect.spec import Study

    _run(Study.load(DEMO_MOE if moe else DEMO), out, as_json, quiet)


@app.command()
@takes(*every())
def run(
    study: Annotated[Path | None, typer.Argument(help="A study YAML file.")] = None,
    specialist: Annotated[
        str | None, typer.Option(help="Directory or hub id.", rich_help_panel=_MODELS)
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Directory or hub id of its base.", rich_help_panel=_MODELS)
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="auto, float32, bfloat16, float16.", rich_help_panel=_MODELS),
    ] = None,
    trust_remote_code: Trust = False,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Steps, like magnitude; repeat.", rich_help_panel=_RECIPES),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(help="start:stop:step or a comma list.", rich_help_panel=_RECIPES),
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="clinic, a text file, c4.", rich_help_panel=_RECIPES)
    ] = None,
    nsamples: Annotated[
        int | None, typer.Option(help="Calibration windows.", rich_help_panel=_RECIPES)
    ] = None,
    seqlen: Annotated[
        int | None, typer.Option(help="Tokens of each.", rich_help_panel=_RECIPES)
    ] = None,
    task: Annotated[list[str] | None, Tasks] = None,
    search: Annotated[
        str | None,
        typer.Option(
            help="Ask fewer levels: half (half-level) or safe (safe level).",
            rich_help_panel=_RUNNING,
        ),
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="The study's small version.")] = False,
    confirm_run_unsafe_code: Unsafe = False,
    out: Out = None,
    engine: Engine = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Ray cluster to join, like auto; none starts one here.", rich_help_panel=_RUNNING
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", "--ray-workers", help="Processes; by default the engine decides.",
            rich_help_panel=_RUNNING,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    fields: dict[str, Any],
) -> None:  # fmt: skip
    """Run a study, from a YAML file or from options; what is stored is not run again."""
    from resect.running import request

    asked = request.study(
        study,
        smoke=smoke,
        models={"specialist": specialist, "base": base},
        methods=method,
        levels=levels,
        tasks=task,
        every_model={"dtype": dtype, "trust_remote_code": trust_remote_code or None},
        calibration={"data": calibration, "nsamples": nsamples, "seqlen": seqlen},
        fields=fields,
    )
    how = {"engine": engine, "workers": workers, "address": address}
    _run(asked, out, as_json, quiet, search, trust_remote_code=trust_remote_code, **how)


@app.command("eval")
@takes(*ASKING)
def evaluate(
    task: Annotated[list[str], Tasks],
    model: Annotated[str | None, typer.Argument(help="Model directory or hub id.")] = None,
    base_url: Annotated[
        str | None,
        typer.Option(help="A llama-server to ask, http://HOST:PORT.", rich_help_panel=_MODELS),
    ] = None,
    served: Annotated[
        str | None,
        typer.Option("--model", help="What the server calls it.", rich_help_panel=_MODELS),
    ] = None,
    dtype: Annotated[
        str, typer.Option(help="auto, float32, bfloat16, float16.", rich_help_panel=_MODELS)
    ] = "auto",
    trust_remote_code: Trust = False,
    confirm_run_unsafe_code: Unsafe = False,
    out: Out = None,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    fields: dict[str, Any],
) -> None:
    """Ask one model as it is: a study without damage."""
    from resect.running import request

    if (model is None) is (base_url is None):
        raise RequestError("name one thing to ask: a model, or a server with --base-url.")
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise RequestError(f"{base_url} is no address of a server: write http://HOST:PORT.")
    name = base_url or model or ""
    asked = request.evaluation(name, task, dtype, trust_remote_code, fields, served)
    _run(asked, out, as_json, quiet, trust_remote_code=trust_remote_code)


def _run(
    study: Any,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    goal: str | None = None,
    **how: Any,
) -> None:
    """Run a study and show it; `how` goes to `resect.run`."""
    from resect import api
    from resect.running import search

    loud = sys.stdout.isatty() and not (as_json or quiet)

    def watch(planned: Any, events: Iterator[Any]) -> Iterator[Any]:
        if not loud:
            return events
        from rich.console import Console

        from resect.running.progress import watched

        return watched(planned, events, Console(stderr=True))

    run = api.run if goal is None else partial(search.search, goal=goal)
    try:
        found = run(study, out=out, watch=watch, notice=noticing(quiet), **how)
    except KeyboardInterrupt:
        raise _stopped(api.place_of(study, out)) from None
    show(found, as_json, quiet)
    problem = found.failed()
    if problem:
        raise RunError(problem)


def _stopped(place: Path) -> Stopped:
    """What is kept of a run that Ctrl-C ended."""
    from resect.running.folder import Run
    from resect.running.status import kept

    try:
        held = kept(Run(place))
    except RequestError:  # nothing was written yet
        return Stopped("stopped before anything was asked: run the same command to start again.")
    return Stopped(f"stopped: {held}, run the same command to go on.")
