"""The command line: one short function a command, no logic.

Exit codes: 0 done, 1 the run failed, 2 the request is wrong. With `--json`, stdout holds one
JSON document and nothing else. Torch is imported only by commands that touch a model.
"""

from __future__ import annotations

import sqlite3
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from resect.errors import RequestError, RunError

# Options are taken with - and with _, as this field writes both.
_SETTINGS = {
    "token_normalize_func": lambda text: text.replace("_", "-"),
    "help_option_names": ["-h", "--help"],
}
app = typer.Typer(
    name="resect",
    help="How far can a medical language model be compressed before it stops being safe?",
    context_settings=_SETTINGS,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)

# click's own base error; typer ships a copy of click of its own in newer versions.
_Usage: Any = typer.BadParameter.__mro__[2]

Out = Annotated[Path | None, typer.Option("--out", help="Run folder; default runs/<study name>.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only what was asked for.")]
Limit = Annotated[int | None, typer.Option("--limit", help="Ask the first N items of every task.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or spread.")]
Margin = Annotated[
    float | None, typer.Option("--margin", help="Largest loss of accuracy that is safe, like 0.05.")
]
Alpha = Annotated[
    float | None, typer.Option("--alpha", help="One-sided error of the safe level; default 0.025.")
]
Shots = Annotated[int | None, typer.Option("--num-fewshot", help="Worked examples before each.")]
Chat = Annotated[
    bool, typer.Option("--apply-chat-template", help="Ask in the model's own chat format.")
]
System = Annotated[
    str | None, typer.Option("--system-instruction", help="A text before every prompt.")
]
Variants = Annotated[
    str | None,
    typer.Option(help="Ask label tasks once more: permuted,swapped,unsure (for reliability)."),
]
NewTokens = Annotated[
    int | None, typer.Option("--max-new-tokens", help="Longest answer; default: the task's own.")
]


def _allow_code(value: bool) -> None:
    if value:
        from resect.sandbox import programs

        programs.allow()


Unsafe = Annotated[
    bool,
    typer.Option(
        "--confirm-run-unsafe-code",
        callback=_allow_code,
        help="Let programs that a model wrote be run, walled in (as HF_ALLOW_CODE_EVAL=1 does).",
    ),
]
Engine = Annotated[str, typer.Option("--engine", help="Where courses run: local or ray.")]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    warnings.simplefilter("ignore")
    try:
        code = app(arguments, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except RequestError as error:
        return _complain(str(error), 2)
    except _Usage as error:
        return _complain(error.format_message(), 2)
    except RunError as error:
        return _complain(str(error), 1)
    except (MemoryError, RuntimeError, sqlite3.Error) as error:
        if isinstance(error, RuntimeError) and "out of memory" not in str(error):
            raise
        return _complain(f"{type(error).__name__}: {error}; what is stored is kept.", 1)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped: what is stored is kept, run the same command to go on.", 1)
    except OSError as error:
        return _complain(f"{error}: what is stored is kept, run the same command to go on.", 1)


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

    _run(Study.load(DEMO_MOE if moe else DEMO), out, "local", as_json, quiet)


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
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code")] = False,
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
    from resect import methods, request

    asked = request.study(
        study,
        smoke=smoke,
        models={"specialist": specialist, "base": base},
        methods=method,
        takes_level=methods.takes_level,
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
    _run(asked, out, engine, as_json, quiet, workers, address, search)


@app.command()
def compress(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    step: Annotated[list[str], typer.Option(help="method[:level][,key=value]; repeat for more.")],
    out: Annotated[Path, typer.Option(help="Folder for the compressed model.")],
    calibration: Annotated[str | None, typer.Option(help="clinic, a text file, c4.")] = None,
    nsamples: Annotated[int, typer.Option(help="Calibration windows.")] = 128,
    seqlen: Annotated[int, typer.Option(help="Tokens of each.")] = 2048,
    seed: Annotated[int, typer.Option(help="Seed of random methods and calibration.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of offline task files.")] = None,
    revision: Annotated[str | None, typer.Option(help="Hub revision.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16.")] = "auto",
    device: Device = "auto",
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a compressed copy of a model that plain transformers loads."""
    from resect import compression, request

    ref, text = request.model(
        model, revision, dtype, trust_remote_code, calibration, nsamples, seqlen, seed
    )
    treatment = request.treatment(step)
    done = compression.compress_to(
        ref,
        treatment,
        out,
        calibration=text,
        seed=seed,
        device=device,
        data_dir=data_dir,
        notice=lambda text: None if quiet else typer.echo(text, err=True),
    )
    if as_json:
        _print_json(done)
        return
    if not quiet:
        typer.echo(compression.shown(done))
    typer.echo(out)


@app.command()
def recover(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    data: Annotated[str, typer.Option(help="clinic, a .jsonl file, or a hub set.")],
    out: Annotated[Path, typer.Option(help="Folder for the tuned model.")],
    method: Annotated[
        str, typer.Option(help="lora, finetune or distill, with options: lora,rank=8.")
    ] = "lora",
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Keep the adapter apart, for peft.")
    ] = False,
    task: Annotated[
        list[str] | None, typer.Option("--task", "--tasks", help="Tasks that stay untold.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of offline task files.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
    revision: Annotated[str | None, typer.Option(help="Hub revision.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16.")] = "auto",
    device: Device = "auto",
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tune a model back, zeros kept; killed and run again, it goes on."""
    from resect import compression, progress, recovery, request
    from resect.spec import Step

    ref, _ = request.model(model, revision, dtype, trust_remote_code, None, 1, 2, seed)
    asked = [name for part in task or [] for name in part.split(",")]
    with progress.training(loud=not (as_json or quiet)) as shown:
        done = recovery.recover_to(
            ref,
            Step.parse(method),
            data,
            out,
            adapter=adapter,
            asked=asked,
            data_dir=data_dir,
            device=device,
            seed=seed,
            notice=lambda text: None if quiet else typer.echo(text, err=True),
            progress=shown,
        )
    if as_json:
        _print_json(done)
        return
    if not quiet:
        typer.echo(compression.shown(done))
    typer.echo(out)


@app.command()
def inspect(model: str, as_json: Json = False, quiet: Quiet = False) -> None:
    """Show a model's anatomy, sizes, zeros and bits as measured."""
    from resect import inspection
    from resect.spec import ModelRef

    ref = ModelRef.of(role="model", id=model)
    found = inspection.inspect(ref, lambda text: None if quiet else typer.echo(text, err=True))
    if as_json:
        _print_json(found)
    else:
        typer.echo(inspection.shown(found))


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
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code")] = False,
    confirm_run_unsafe_code: Unsafe = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask one model as it is: a study without damage."""
    from resect import request

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
    _run(asked, out, "local", as_json, quiet)


@app.command()
def report(
    run: Path,
    margin: Margin = None,
    alpha: Alpha = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for SVG and PNG figures.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rebuild page, card and JSON of a run folder from its store."""
    from resect.folder import Run

    found = Run(run)
    found.report(margin=margin, alpha=alpha)
    if figures is not None:
        _draw(found, figures, quiet)
    _show(found, as_json, quiet)


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
    from resect import judge
    from resect.folder import Run

    asked = [name for part in task or [] for name in part.split(",")]
    done = judge.judge(Run(run), judge.endpoint(base_url, model), model, asked, workers)
    if as_json:
        _print_json(done)
    elif not quiet:
        typer.echo(
            f"{done['graded']} texts graded, {done['before']} before, "
            f"{done['without_grade']} replies without a grade"
        )
        typer.echo(run / "report.html")


@app.command()
def audit(
    path: Annotated[Path, typer.Argument(help="Folder, file or archive of recorded answers.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/audit-NAME.")] = None,
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

    _show(recorded.audit(path, out, format=form, specialist=specialist, base=base), as_json, quiet)


@app.command()
def export(
    run: Path,
    to: Annotated[str, typer.Option("--to", help="csv, parquet or lm-eval.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a run's answers for other tools; csv and lm-eval can be audited again."""
    from resect.folder import Run
    from resect.store.export import export

    with Run(run).reading() as store:
        written = [str(path) for path in export(store, to, out)]
    if as_json:
        _print_json(written)
    elif not quiet:
        typer.echo(f"{len(written)} files in {out}")


@app.command()
def diff(one: Path, other: Path, as_json: Json = False, quiet: Quiet = False) -> None:
    """Say what differs between the findings of two runs."""
    from resect.analysis.same import differences

    found = differences(one, other)
    if as_json:
        _print_json(found)
    else:
        typer.echo("\n".join(found) or "the same findings")


@app.command()
def methods(as_json: Json = False, quiet: Quiet = False) -> None:
    """List the methods, one line each."""
    from resect.methods import METHODS

    _list({n: {"summary": e.summary, "level": e.dose} for n, e in METHODS.items()}, as_json)


@app.command()
def tasks(as_json: Json = False, quiet: Quiet = False) -> None:
    """List the tasks, one line each; NAME:cot asks a label or number task for reasoning first."""
    from resect.tasks import listed

    shown = ("kind", "summary", "protocol", "labels", "hub", "revision", "file")
    _list({i.name: {key: getattr(i, key) for key in shown} for i in listed()}, as_json)


def _run(
    study: Any,
    out: Path | None,
    engine: str,
    as_json: bool,
    quiet: bool,
    workers: int | None = None,
    address: str | None = None,
    goal: str | None = None,
) -> None:
    from resect import api, search

    loud = sys.stdout.isatty() and not (as_json or quiet)

    def watch(planned: Any, events: Iterator[Any]) -> Iterator[Any]:
        if not loud:
            return events
        from rich.console import Console

        from resect.progress import watched

        return watched(planned, events, Console(stderr=True))

    def notice(text: str) -> None:
        if not quiet:
            typer.echo(text, err=True)

    how: dict[str, Any] = {"engine": engine, "workers": workers, "address": address}
    run = api.run if goal is None else partial(search.search, goal=goal)
    found = run(study, out=out, watch=watch, notice=notice, **how)
    _show(found, as_json, quiet)
    problem = found.failed()
    if problem:
        raise RunError(problem)


def _show(run: Any, as_json: bool, quiet: bool) -> None:
    if as_json:
        _print_json(run.summary())
        return
    if not quiet:
        from resect.report import terminal

        terminal.show(run.summary())
    typer.echo(run.path / "report.html")


def _draw(run: Any, folder: Path, quiet: bool) -> None:
    from resect.report import figures

    paths = figures.save(run.summary(), folder)
    if not quiet:
        typer.echo(f"{len(paths)} files in {folder}", err=True)
    if not quiet and not any(path.suffix == ".png" for path in paths):
        typer.echo("No chromium or chrome was found, so there is SVG and no PNG.", err=True)


def _list(rows: dict[str, dict[str, Any]], as_json: bool) -> None:
    if as_json:
        _print_json([{"name": name, **row} for name, row in rows.items()])
        return
    width = max(map(len, rows))
    for name, row in rows.items():
        typer.echo(f"{name:<{width}}  {row['summary']}")


def _print_json(value: Any) -> None:
    from resect.folder import to_json

    typer.echo(to_json(value), nl=False)


def _complain(sentence: str, code: int) -> int:
    typer.echo(f"resect: {' '.join(sentence.split())}", err=True)
    return code


def entry() -> None:
    """What the `resect` script calls."""
    sys.exit(main())


if __name__ == "__main__":
    entry()
