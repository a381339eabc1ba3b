"""Commands that write or read a model directory: compress, recover, probe, inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resect.cli.app import (
    DataDir,
    Device,
    Dtype,
    Json,
    Model,
    Quiet,
    Revision,
    Trust,
    app,
    into,
)  # fmt: skip
from resect.cli.output import emit, noticing, say, show_made, stopping


@app.command()
def compress(
    model: Model,
    step: Annotated[
        list[str],
        typer.Option(help="Method as method[:level][,key=value]; repeat for several steps."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder to write the compressed model to.", callback=into)
    ],
    calibration: Annotated[
        str | None,
        typer.Option(
            help="Calibration text: wikitext2 (default), c4, task:NAME, a file, or a hub dataset."
        ),
    ] = None,
    nsamples: Annotated[int, typer.Option(help="Number of calibration windows.")] = 128,
    seqlen: Annotated[int, typer.Option(help="Tokens in each calibration window.")] = 2048,
    seed: Annotated[int, typer.Option(help="Seed for random methods and for calibration.")] = 0,
    calibration_seed: Annotated[
        int | None, typer.Option(help="Seed for calibration alone; default: --seed.")
    ] = None,
    data_dir: DataDir = None,
    revision: Revision = None,
    dtype: Dtype = "auto",
    device: Device = "auto",
    trust_remote_code: Trust = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compress a model; transformers can load the result."""
    from resect.running import compression, request
    from resect.spec import Calibration, Recipe

    drawn = seed if calibration_seed is None else calibration_seed
    text = Calibration.of(data=calibration or "", nsamples=nsamples, seqlen=seqlen, seed=drawn)
    with stopping(lambda: f"nothing is written to {out}"):
        done = compression.compress_to(
            request.model(model, revision, dtype, trust_remote_code),
            Recipe.of(steps=" + ".join(step)),
            out,
            calibration=text,
            seed=seed,
            device=device,
            data_dir=data_dir,
            notice=noticing(quiet),
        )
    show_made(done, out, as_json, quiet)


@app.command()
def recover(
    model: Model,
    data: Annotated[
        str, typer.Option(help="Training data: clinic, a .jsonl file, or a hub dataset.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the tuned model to.", callback=into)],
    method: Annotated[
        str, typer.Option(help="lora, finetune or distill, with options, like lora,rank=8.")
    ] = "lora",
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Save the adapter separately, for peft.")
    ] = False,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", "--tasks", help="Tasks whose items must not be in the training data."
        ),
    ] = None,
    data_dir: DataDir = None,
    seed: Annotated[int, typer.Option(help="Seed for the training.")] = 0,
    revision: Revision = None,
    dtype: Dtype = "auto",
    device: Device = "auto",
    trust_remote_code: Trust = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune a compressed model to regain quality.

    Pruned weights stay zero. If it is interrupted, the same command continues the training.
    """
    from resect.recover import recovery
    from resect.running import progress, request
    from resect.spec import Step

    bar = progress.training(loud=not (as_json or quiet))
    with stopping(lambda: recovery.kept(out)), bar as shown:
        done = recovery.recover_to(
            request.model(model, revision, dtype, trust_remote_code),
            Step.parse(method),
            data,
            out,
            adapter=adapter,
            asked=request.names(task),
            data_dir=data_dir,
            device=device,
            seed=seed,
            notice=noticing(quiet),
            progress=shown,
        )
    show_made(done, out, as_json, quiet)


@app.command()
def inspect(
    model: Annotated[str, typer.Argument(help="Model directory.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the parts, sizes, zeros and bits per weight of a model."""
    from resect.running import inspection
    from resect.spec import ModelRef

    ref = ModelRef.of(role="model", id=model)
    contents = inspection.inspect(ref, noticing(quiet))
    emit(contents, inspection.shown(contents), as_json, quiet=False)


@app.command()
def imatrix(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    calibration: Annotated[str, typer.Option(help="wikitext2, c4, task:NAME, a text file.")],
    out: Annotated[Path, typer.Option(help="File for the importance matrix, like med.gguf.")],
    nsamples: Annotated[int, typer.Option(help="Calibration windows.")] = 128,
    seqlen: Annotated[int, typer.Option(help="Tokens of each.")] = 512,
    seed: Annotated[int, typer.Option(help="Seed of the windows.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of offline task files.")] = None,
    revision: Annotated[str | None, typer.Option(help="Hub revision.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16.")] = "auto",
    device: Device = "auto",
    trust_remote_code: Trust = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write an importance matrix for llama.cpp's quantizers."""
    from resect.running import importance, request
    from resect.spec import Calibration

    done = importance.imatrix_to(
        request.model(model, revision, dtype, trust_remote_code),
        Calibration.of(data=calibration, nsamples=nsamples, seqlen=seqlen, seed=seed),
        out,
        device=device,
        data_dir=data_dir,
        notice=noticing(quiet),
    )
    line = f"{out}: {done['tensors']} tensors, {done['tokens']:,} tokens of {calibration}"
    emit(done, line, as_json, quiet)


@app.command()
def probe(
    model: Model,
    out: Annotated[
        Path, typer.Option(help="File for the result, like probe.json; a picture comes beside it.")
    ],
    task: Annotated[
        list[str] | None,
        typer.Option("--task", "--tasks", help="Tasks whose training texts are read; repeat."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Text: wikitext2 (default), c4, a file, or a hub dataset.")
    ] = None,
    damage: Annotated[
        str,
        typer.Option(help="How a part is damaged: magnitude:0.5, wanda:0.6, or round:3 (bits)."),
    ] = "magnitude:0.5",
    whole: Annotated[
        bool, typer.Option("--blocks", help="Whole blocks only, not attention and MLP apart.")
    ] = False,
    nsamples: Annotated[int, typer.Option(help="Number of windows.")] = 8,
    seqlen: Annotated[int, typer.Option(help="Tokens in each window.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of the windows.")] = 0,
    data_dir: DataDir = None,
    revision: Revision = None,
    dtype: Dtype = "auto",
    device: Device = "auto",
    trust_remote_code: Trust = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show which blocks of a model are fragile: each is damaged alone.

    The result shares a level out over the blocks: --step wanda:0.5,allocation=sensitivity,
    probe=FILE.
    """
    from resect.report import heat_map
    from resect.running import probe as probing
    from resect.running import request
    from resect.spec import Calibration

    named = [*(f"task:{name}" for name in request.names(task)), *([text] if text else [])]
    with stopping(lambda: f"nothing is written to {out}"):
        done = probing.probe_to(
            request.model(model, revision, dtype, trust_remote_code),
            damage,
            Calibration.of(data="|".join(named), nsamples=nsamples, seqlen=seqlen, seed=seed),
            out,
            whole=whole,
            device=device,
            data_dir=data_dir,
            notice=noticing(quiet),
        )
    drawn = f"{probing.title(done)}\n{heat_map.lines(probing.table(done))}"
    emit(done.model_dump(), drawn, as_json, quiet)
    if not as_json:
        say(out)
