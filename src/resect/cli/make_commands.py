"""Commands that make or read a model directory: compress, recover, inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resect.cli.app import Device, Json, Quiet, Trust, app, into
from resect.cli.output import noticing, print_json, say, show_made


@app.command()
def compress(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    step: Annotated[list[str], typer.Option(help="method[:level][,key=value]; repeat for more.")],
    out: Annotated[Path, typer.Option(help="Folder for the compressed model.", callback=into)],
    calibration: Annotated[str | None, typer.Option(help="clinic, a text file, c4.")] = None,
    nsamples: Annotated[int, typer.Option(help="Calibration windows.")] = 128,
    seqlen: Annotated[int, typer.Option(help="Tokens of each.")] = 2048,
    seed: Annotated[int, typer.Option(help="Seed of random methods and calibration.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of offline task files.")] = None,
    revision: Annotated[str | None, typer.Option(help="Hub revision.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16.")] = "auto",
    device: Device = "auto",
    trust_remote_code: Trust = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a compressed copy of a model that plain transformers loads."""
    from resect.running import compression, request

    ref, text = request.model(
        model, revision, dtype, trust_remote_code, calibration, nsamples, seqlen, seed
    )
    recipe = request.recipe(step)
    done = compression.compress_to(
        ref,
        recipe,
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
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    data: Annotated[str, typer.Option(help="clinic, a .jsonl file, or a hub set.")],
    out: Annotated[Path, typer.Option(help="Folder for the tuned model.", callback=into)],
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
    trust_remote_code: Trust = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tune a model back, zeros kept; killed and run again, it goes on."""
    from resect.recover import recovery
    from resect.running import progress, request
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
            notice=noticing(quiet),
            progress=shown,
        )
    show_made(done, out, as_json, quiet)


@app.command()
def inspect(model: str, as_json: Json = False, quiet: Quiet = False) -> None:
    """Show a model's anatomy, sizes, zeros and bits as measured."""
    from resect.running import inspection
    from resect.spec import ModelRef

    ref = ModelRef.of(role="model", id=model)
    found = inspection.inspect(ref, noticing(quiet))
    if as_json:
        print_json(found)
    else:
        say(inspection.shown(found))


@app.command()
def imatrix(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    calibration: Annotated[str, typer.Option(help="clinic, a text file, c4, task:NAME.")],
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
    """Write an importance matrix for llama.cpp's quantizers: what a text sends to each weight."""
    from resect.running import importance, request

    ref, text = request.model(
        model, revision, dtype, trust_remote_code, calibration, nsamples, seqlen, seed
    )
    assert text is not None, "--calibration is required"
    done = importance.imatrix_to(
        ref, text, out, device=device, data_dir=data_dir, notice=noticing(quiet)
    )
    if as_json:
        print_json(done)
    elif not quiet:
        say(f"{out}: {done['tensors']} tensors, {done['tokens']:,} tokens of {calibration}")
