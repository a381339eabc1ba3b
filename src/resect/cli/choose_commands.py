"""Commands that end with a choice: choose, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from resect.cli.app import Json, Quiet, Trust, Unsafe, app, into
from resect.cli.output import emit, noticing, print_json, say, stopping, watching
from resect.cli.run_commands import Dtype, Tasks
from resect.cli.study_options import takes

NOTHING_PASSED = 3
"""The exit code where nothing passed."""
_OPTIONS = (
    "limit", "data_dir", "apply_chat_template", "max_new_tokens", "margin", "retain", "alpha",
    "shown_only", "min_speed", "seed", "device",
)  # fmt: skip


@app.command()
@takes(*_OPTIONS)
def choose(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    task: Annotated[list[str], Tasks],
    out: Annotated[Path, typer.Option(help="Folder of the run and the file.", callback=into)],
    budget: Annotated[
        str | None, typer.Option(help="Most memory that a version may take, like 8GB.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Base model, asked intact beside it.")] = None,
    runtime: Annotated[
        str, typer.Option(help="Where it will run: llama.cpp, vllm or transformers.")
    ] = "llama.cpp",
    method: Annotated[
        list[str] | None, typer.Option(help="Recipes of your own in place of the usual ones.")
    ] = None,
    tune_on: Annotated[
        str | None, typer.Option(help="Data to tune cut versions back on with LoRA.")
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="Calibration text: clinic, task:NAME, a file, or c4.")
    ] = None,
    nsamples: Annotated[int | None, typer.Option(help="Calibration windows.")] = None,
    seqlen: Annotated[int | None, typer.Option(help="Tokens in each.")] = None,
    context: Annotated[
        int | None, typer.Option(help="Tokens of context; default: as the tasks need.")
    ] = None,
    kv: Annotated[str, typer.Option(help="Type of llama.cpp's cache, like q8_0.")] = "f16",
    dtype: Annotated[str, Dtype] = "auto",
    trust_remote_code: Trust = False,
    confirm_run_unsafe_code: Unsafe = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Start even if nothing could be confirmed.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    fields: dict[str, Any],
) -> int:
    """Choose the smallest version of a model that passes, as a file."""
    from resect import api

    with stopping(lambda: f"what is stored in {out} is kept"):
        choice = api.choose(
            model, task, out, budget=budget, base=base, runtime=runtime, methods=method,
            tune_on=tune_on, dtype=dtype, trust_remote_code=trust_remote_code, anyway=anyway,
            calibration={"data": calibration, "nsamples": nsamples, "seqlen": seqlen},
            runtime_options={"n_ctx": context, "kv": kv},
            watch=watching(out, quiet), notice=noticing(quiet), **fields,
        )  # fmt: skip
    if as_json:
        print_json(choice.to_data())
    else:
        say("\n".join(choice.lines))
        say(choice.report)
    return 0 if choice.path is not None else NOTHING_PASSED


@app.command()
def check(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of a choice.")],
    policy: Annotated[
        Path | None, typer.Option(help="Policy file (YAML); default: the usual one.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="File for JUnit XML; default: check.xml in the run.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Check a run against a release policy: exit code, JUnit XML."""
    from resect.running import check as checking
    from resect.running.folder import write

    rows = checking.checked(run, checking.policy_from(policy))
    write(junit or run / "check.xml", checking.junit(rows, run.name))
    emit(checking.to_data(rows), checking.shown(rows), as_json, quiet)
    return 0 if all(row.holds for row in rows) else NOTHING_PASSED
