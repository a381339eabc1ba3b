"""The application that commands hang on, and the options that several of them take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resect.running.destination import destination

# Options are taken with - and with _, as this field writes both.
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
    """Look at a folder to write into before anything is computed; `RequestError` where it fails."""
    return None if path is None else destination(path)


Out = Annotated[
    Path | None,
    typer.Option("--out", help="Run folder; default runs/<study name>.", callback=into),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only what was asked for.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or spread.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Let code be run that a model or a task file brings along; read it first.",
        rich_help_panel="Models",
    ),
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
Engine = Annotated[
    str,
    typer.Option("--engine", help="Where sweeps run: local or ray.", rich_help_panel="Running"),
]
