"""Options that are fields of `Study`, shared by the commands that take them."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from resect.spec import Study

PANELS: Mapping[str, tuple[str, ...]] = {
    "Questions": (
        "limit", "data_dir", "num_fewshot", "apply_chat_template", "system_instruction",
        "max_new_tokens", "variants",
    ),
    "Verdict": ("margin", "retain", "alpha", "shown_only", "sequential", "min_speed", "resamples"),
    "Running": ("device", "seed", "batch_tokens", "measure"),
}  # fmt: skip
"""The fields of `Study` that are command-line options, by help panel."""

ASKING = (*PANELS["Questions"], "device")
"""The options of a study without recipes."""


def every() -> tuple[str, ...]:
    """Every field that is an option."""
    return tuple(name for names in PANELS.values() for name in names)


def takes(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of these fields to a command; the values given arrive in `fields`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(command, eval_str=True).parameters
        parameters = [p for p in own.values() if p.name != "fields"]
        parameters += [_parameter(name) for name in names]

        @wraps(command)
        def wrapped(**given: Any) -> Any:
            values = {name: given.pop(name) for name in names}
            fields = {n: v for n, v in values.items() if v is not None}
            return command(**given, fields=fields)

        del wrapped.__wrapped__  # typer would read the command's own options
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return decorate


def _parameter(name: str) -> inspect.Parameter:
    """The option of one field: its type, its description as help, its panel."""
    field = Study.model_fields[name]
    panel = next(panel for panel, names in PANELS.items() if name in names)
    flag = f"--{name.replace('_', '-')}"
    option = typer.Option(flag, help=field.description, rich_help_panel=panel)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[_kind(field.annotation) | None, option],
    )


def _kind(annotation: Any) -> Any:
    """The command-line type of a field; choices and lists are text."""
    if get_origin(annotation) in (types.UnionType, Union):
        parts = [part for part in get_args(annotation) if part is not types.NoneType]
        annotation = parts[0] if len(parts) == 1 else str
    return str if get_origin(annotation) in (Literal, tuple) else annotation
