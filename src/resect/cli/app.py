"""The application that commands hang on, and the options that several of them take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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


Trust = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Let code be run that a model or a task file brings along; read it first.",
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
Engine = Annotated[str, typer.Option("--engine", help="Where sweeps run: local or ray.")]
