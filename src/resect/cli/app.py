"""The Typer application, and the options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resect.running.destination import destination

# Options may be written with - or _, because both are usual in this field.
_SETTINGS = {
    "token_normalize_func": lambda text: text.replace("_", "-"),
    "help_option_names": ["-h", "--help"],
}
app = typer.Typer(
    name="resect",
    help="Find the smallest version of a medical language model that is still as good.",
    context_settings=_SETTINGS,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)


def into(path: Path | None) -> Path | None:
    """Check an output folder before anything is computed; `RequestError` if it is unusable."""
    return None if path is None else destination(path)


Out = Annotated[
    Path | None,
    typer.Option("--out", help="Run folder; default: runs/<study name>.", callback=into),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print no tables, notices or progress.")]
Device = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:N, or spread (over all GPUs).")
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run code that comes with a model or a task file. Read that code first.",
        rich_help_panel="Models",
    ),
]


def _allow_code(value: bool) -> None:
    if value:
        from resect.tasks.sandbox import programs

        programs.allow()


Unsafe = Annotated[
    bool,
    typer.Option(
        "--confirm-run-unsafe-code",
        callback=_allow_code,
        help="Run programs that a model wrote, in a sandbox. HF_ALLOW_CODE_EVAL=1 does the same.",
    ),
]
RunFolder = Annotated[Path, typer.Argument(help="Run folder.")]
Dtype = Annotated[
    str, typer.Option(help="Type of the weights: auto, float32, bfloat16 or float16.")
]
DataDir = Annotated[Path | None, typer.Option(help="Folder of offline task files.")]
Revision = Annotated[str | None, typer.Option(help="Revision of the model on the hub.")]
Model = Annotated[str, typer.Argument(help="Model directory or hub id.")]
Engine = Annotated[
    str,
    typer.Option("--engine", help="What runs the sweeps: local or ray.", rich_help_panel="Running"),
]
