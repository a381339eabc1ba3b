"""Commands that ask models: demo, run, eval."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from resect.cli.app import (
    Alpha,
    Chat,
    Device,
    Engine,
    Json,
    Limit,
    Margin,
    NewTokens,
    Out,
    Quiet,
    Shots,
    System,
    Trust,
    Unsafe,
    Variants,
    app,
)
from resect.cli.output import noticing, show
from resect.errors import RunError


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
def run(
    study: Annotated[Path | None, typer.Argument(help="A study YAML file.")] = None,
    out: Out = None,
    specialist: Annotated[str | None, typer.Option(help="Directory or hub id.")] = None,
    base: Annotated[str | None, typer.Option(help="Directory or hub id of its base.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Steps, like magnitude.")] = None,
    levels: Annotated[str | None, typer.Option(help="start:stop:step or a comma list.")] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", "--tasks", help="Task names; repeat, or commas.")
    ] = None,
    limit: Limit = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of offline task files.")] = None,
    num_fewshot: Shots = None,
    apply_chat_template: Chat = False,
    system_instruction: System = None,
    max_new_tokens: NewTokens = None,
    variants: Variants = None,
    calibration: Annotated[str | None, typer.Option(help="clinic, a text file, c4.")] = None,
    nsamples: Annotated[int | None, typer.Option(help="Calibration windows.")] = None,
    seqlen: Annotated[int | None, typer.Option(help="Tokens of each.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or spread.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, float32, bfloat16, float16.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of random methods and intervals.")] = None,
    batch_tokens: Annotated[int | None, typer.Option(help="Padded tokens in a batch.")] = None,
    measure: Annotated[
        str | None, typer.Option(help="Memory and speed of: sizes (none), shapes, full (all).")
    ] = None,
    margin: Margin = None,
    alpha: Alpha = None,
    search: Annotated[
        str | None, typer.Option(help="Ask fewer levels: half (half-level) or safe (safe level).")
    ] = None,
    trust_remote_code: Trust = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="The study's small version.")] = False,
    confirm_run_unsafe_code: Unsafe = False,
    engine: Engine = "local",
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to join, like auto; none starts one here.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", "--ray-workers", help="Processes; by default the engine decides."
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a study, from a YAML file or from options; what is stored is not run again."""
    from resect.run import request

    asked = request.study(
        study,
        smoke=smoke,
        models={"specialist": specialist, "base": base},
        methods=method,
        levels=levels,
        tasks=task,
        every_model={"dtype": dtype, "trust_remote_code": trust_remote_code or None},
        calibration={"data": calibration, "nsamples": nsamples, "seqlen": seqlen},
        fields={
            "limit": limit,
            "data_dir": None if data_dir is None else str(data_dir),
            "num_fewshot": num_fewshot,
            "apply_chat_template": apply_chat_template or None,
            "system_instruction": system_instruction,
            "max_new_tokens": max_new_tokens,
            "variants": variants,
            "device": device,
            "seed": seed,
            "batch_tokens": batch_tokens,
            "measure": measure,
            "margin": margin,
            "alpha": alpha,
        },
    )
    how = {"engine": engine, "workers": workers, "address": address}
    _run(asked, out, as_json, quiet, search, trust_remote_code=trust_remote_code, **how)


@app.command("eval")
def evaluate(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    task: Annotated[list[str], typer.Option("--task", "--tasks", help="Task names.")],
    out: Out = None,
    limit: Limit = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of offline task files.")] = None,
    num_fewshot: Shots = None,
    apply_chat_template: Chat = False,
    system_instruction: System = None,
    max_new_tokens: NewTokens = None,
    variants: Variants = None,
    device: Device = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16.")] = "auto",
    trust_remote_code: Trust = False,
    confirm_run_unsafe_code: Unsafe = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask one model as it is: a study without damage."""
    from resect.run import request

    asking = {
        "num_fewshot": num_fewshot,
        "apply_chat_template": apply_chat_template,
        "system_instruction": system_instruction,
        "max_new_tokens": max_new_tokens,
        "variants": variants,
    }
    asked = request.evaluation(
        model, task, limit, data_dir, device, dtype, trust_remote_code, asking
    )
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
    from resect.run import search

    loud = sys.stdout.isatty() and not (as_json or quiet)

    def watch(planned: Any, events: Iterator[Any]) -> Iterator[Any]:
        if not loud:
            return events
        from rich.console import Console

        from resect.run.progress import watched

        return watched(planned, events, Console(stderr=True))

    run = api.run if goal is None else partial(search.search, goal=goal)
    found = run(study, out=out, watch=watch, notice=noticing(quiet), **how)
    show(found, as_json, quiet)
    problem = found.failed()
    if problem:
        raise RunError(problem)
