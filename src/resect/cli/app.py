"""The Typer application, and the options that several commands share."""

from __future__ import annotations

from importlib.metadata import version
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
    context_settings=_SETTINGS,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"resect {version('resect')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _alone(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Find the smallest version of a medical language model that is still as good."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def into(path: Path | None) -> Path | None:
    """Check an output folder before anything is computed; `RequestError` if it is unusable."""
    return None if path is None else destination(path)


Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Run folder; default: runs/<study name>.",
        callback=into,
        rich_help_panel="Output",
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document and no tables.", rich_help_panel="Output"),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", help="Print no tables, notices or progress.", rich_help_panel="Output"),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto, cpu, cuda, cuda:N, or spread (over all GPUs).",
        rich_help_panel="Running",
    ),
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
        rich_help_panel="Running",
    ),
]
RunFolder = Annotated[Path, typer.Argument(help="Run folder.")]
Dtype = Annotated[
    str,
    typer.Option(
        help="Type of the weights: auto, float32, bfloat16 or float16.", rich_help_panel="Models"
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder of offline task files.", rich_help_panel="Running")
]
Revision = Annotated[
    str | None, typer.Option(help="Revision of the model on the hub.", rich_help_panel="Models")
]
Model = Annotated[str, typer.Argument(help="Model directory or hub id.")]
Engine = Annotated[
    str,
    typer.Option("--engine", help="What runs the sweeps: local or ray.", rich_help_panel="Running"),
]
