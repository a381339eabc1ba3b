"""Commands that ask models questions: demo, run, eval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from resect.cli.app import Engine, Json, Out, Quiet, Trust, Unsafe, app
from resect.cli.output import noticing, show, watching
from resect.cli.study_options import ASKING, every, takes
from resect.errors import RequestError, RunError, Stopped

_models = partial(typer.Option, rich_help_panel="Models")
_recipes = partial(typer.Option, rich_help_panel="Recipes")
_running = partial(typer.Option, rich_help_panel="Running")
_questions = partial(typer.Option, rich_help_panel="Questions")

Tasks = _questions("--task", "--tasks", help="Task names, repeated or separated by commas.")
Dtype = _models(help="Type of the weights: auto, float32, bfloat16 or float16.")


@app.command()
def demo(
    out: Out = None,
    moe: Annotated[
        bool, typer.Option("--moe", help="Use mixtures of experts, and remove experts.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a study of two small embedded models: no network, a minute."""
    from resect.clinic import DEMO, DEMO_MOE
    from resect.spec import Study

    _run(Study.load(DEMO_MOE if moe else DEMO), out, as_json, quiet)


@app.command()
@takes(*every())
def run(
    study: Annotated[Path | None, typer.Argument(help="Study file (YAML).")] = None,
    specialist: Annotated[
        str | None, _models(help="Specialist: model directory or hub id.")
    ] = None,
    base: Annotated[str | None, _models(help="Its base model: directory or hub id.")] = None,
    dtype: Annotated[str | None, Dtype] = None,
    trust_remote_code: Trust = False,
    method: Annotated[
        list[str] | None,
        _recipes(help="Recipe, like magnitude or 'wanda + lora'; repeat for more recipes."),
    ] = None,
    levels: Annotated[
        str | None, _recipes(help="Levels as start:stop:step, or separated by commas.")
    ] = None,
    calibration: Annotated[
        str | None,
        _recipes(
            help="Calibration text: wikitext2, c4, task:NAME, a file, or a hub dataset; default: "
            "the tasks' training texts, else wikitext2."
        ),
    ] = None,
    nsamples: Annotated[int | None, _recipes(help="Number of calibration windows.")] = None,
    seqlen: Annotated[int | None, _recipes(help="Tokens in each calibration window.")] = None,
    task: Annotated[list[str] | None, Tasks] = None,
    search: Annotated[
        str | None,
        _running(help="Ask fewer levels: half (find the half-level) or passed (end at a failure)."),
    ] = None,
    smoke: Annotated[
        bool, _running("--smoke", help="Run the small version that the study file defines.")
    ] = False,
    confirm_run_unsafe_code: Unsafe = False,
    out: Out = None,
    engine: Engine = "local",
    address: Annotated[
        str | None, _running(help="Ray cluster to join, like auto; default: start Ray here.")
    ] = None,
    workers: Annotated[
        int | None,
        _running("--workers", "--ray-workers", help="Worker processes; default: automatic."),
    ] = None,
    dry_run: Annotated[
        bool, _running("--dry-run", help="Show what it costs and can show, and run nothing.")
    ] = False,
    anyway: Annotated[
        bool, _running("--anyway", help="Run a study even if no version of a model could pass.")
    ] = False,
    report_to: Annotated[
        list[str] | None,
        _running(help="Send scores to trackio, wandb or mlflow as they come; repeat for several."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    fields: dict[str, Any],
) -> None:
    """Run a study, from a YAML file or from options.

    The same command continues a run that was stopped: stored answers are not asked for again.
    """
    from resect.running import request
    from resect.running.forecast import refuse_hopeless
    from resect.tracking import trackers

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
    if dry_run:
        _plan(asked, trust_remote_code, as_json)
        return
    how: dict[str, Any] = {"engine": engine, "workers": workers, "address": address}
    how["trackers"] = trackers(request.names(report_to))
    if not (anyway or smoke):
        how |= {"checks": (refuse_hopeless,), "gate": True}
    _run(asked, out, as_json, quiet, search, trust_remote_code=trust_remote_code, **how)


@app.command()
def plan(
    study: Annotated[Path, typer.Argument(help="A study YAML file.")],
    smoke: Annotated[bool, typer.Option("--smoke", help="The study's small version.")] = False,
    trust_remote_code: Trust = False,
    as_json: Json = False,
) -> None:
    """Show what a study costs and what it can show, and run nothing."""
    from resect.running import request

    asked = request.study(
        study, smoke=smoke, models={}, methods=None, levels=None, tasks=None, every_model={},
        calibration={}, fields={},
    )  # fmt: skip
    _plan(asked, trust_remote_code, as_json)


def _plan(study: Any, trust_remote_code: bool, as_json: bool) -> None:
    from resect.cli.output import print_json, say
    from resect.running import forecast
    from resect.running.resolve import resolve

    row = forecast.forecast(resolve(study, trust_remote_code))
    if as_json:
        print_json(row.to_data())
    else:
        say(forecast.in_words(row))


@app.command("eval")
@takes(*ASKING)
def evaluate(
    task: Annotated[list[str], Tasks],
    model: Annotated[str | None, typer.Argument(help="Model directory or hub id.")] = None,
    base_url: Annotated[
        str | None, _models(help="Address of a llama-server to ask, like http://HOST:PORT.")
    ] = None,
    served: Annotated[
        str | None, _models("--model", help="Name of the model on that server.")
    ] = None,
    dtype: Annotated[str, Dtype] = "auto",
    trust_remote_code: Trust = False,
    confirm_run_unsafe_code: Unsafe = False,
    out: Out = None,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    fields: dict[str, Any],
) -> None:
    """Evaluate one model as it is, without compressing it."""
    from resect.running import request

    if (model is None) is (base_url is None):
        raise RequestError("name one thing to ask: a model, or a server with --base-url.")
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise RequestError(f"{base_url} is no address of a server: write http://HOST:PORT.")
    name = base_url or model or ""
    asked = request.evaluation(name, task, dtype, trust_remote_code, fields, served)
    _run(asked, out, as_json, quiet, trust_remote_code=trust_remote_code)


def _checking(
    checks: Sequence[Callable[[Any], None]], notice: Callable[[str], None]
) -> Callable[[Any], None]:
    """What checks a study before it runs: its warnings are told once, then `checks` may refuse."""
    told = set()

    def check(resolved: Any) -> None:
        for warning in resolved.warnings():
            if warning not in told:
                notice(f"{warning}.")
            told.add(warning)
        for refuse in checks:
            refuse(resolved)

    return check


def _run(
    study: Any,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    goal: str | None = None,
    checks: Sequence[Callable[[Any], None]] = (),
    trackers: Mapping[str, Any] | None = None,
    **how: Any,
) -> None:
    """Run a study and show it; `how` goes to `resect.run`."""
    from resect import api
    from resect.running import search
    from resect.tracking import Tracking

    tracking = Tracking(trackers, study) if trackers else None

    show_progress = watching(api.place_of(study, out), quiet)

    def watch(planned: Any, events: Iterator[Any]) -> Iterator[Any]:
        return show_progress(planned, tracking.watch(planned, events) if tracking else events)

    run = api.run if goal is None else partial(search.search, goal=goal)
    notice = noticing(quiet)
    how["check"] = _checking(checks, notice)
    try:
        finished = run(study, out=out, watch=watch, notice=notice, **how)
    except KeyboardInterrupt:
        raise _stopped(api.place_of(study, out)) from None
    finally:
        if tracking:
            tracking.finish()
    show(finished, as_json, quiet)
    problem = finished.failed()
    if problem:
        raise RunError(problem)


def _stopped(place: Path) -> Stopped:
    """The message after Ctrl-C, with what is stored."""
    from resect.running.folder import Run
    from resect.running.status import kept

    try:
        return Stopped(f"stopped: {kept(Run(place))}. Run the same command to continue.")
    except RequestError:  # nothing was written yet
        return Stopped("stopped before anything was asked: run the same command to start again.")
