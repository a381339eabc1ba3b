"""What commands print: findings, lists, or one JSON document. All text goes through `say`."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from resect.errors import Stopped
from resect.report.cleaner import plain


def say(text: object, err: bool = False) -> None:
    """Print lines, with every hidden or control character escaped."""
    typer.echo(plain(text, keep_lines=True), err=err)


def show(run: Any, as_json: bool, quiet: bool) -> None:
    """Print the findings of a run and the path of its report."""
    if as_json:
        print_json(run.summary())
        return
    if not quiet:
        from resect.report import terminal

        terminal.show(run.findings())
    say(run.path / "report.html")


def emit(value: Any, text: object, as_json: bool, quiet: bool) -> None:
    """Print a value as one JSON document, or its text unless quiet."""
    if as_json:
        print_json(value)
    elif not quiet:
        say(text)


def show_made(done: dict[str, Any], out: Path, as_json: bool, quiet: bool) -> None:
    """Print what was done to a model and the path of the result."""
    from resect.running import compression

    emit(done, compression.shown(done), as_json, quiet)
    if not as_json:
        say(out)


def noticing(quiet: bool) -> Callable[[str], None]:
    """A function that prints notices to stderr, unless quiet, and keeps them for a run's log."""
    from resect.running.run_log import NOTICES

    def notice(text: str) -> None:
        NOTICES.info(plain(text, keep_lines=True))
        if not quiet:
            say(text, err=True)

    return notice


def draw(run: Any, folder: Path, quiet: bool) -> None:
    """Save the figures of a run and print how many."""
    from resect.report import figures

    paths = figures.save(run.findings(), folder)
    if not quiet:
        say(f"{len(paths)} files in {folder}", err=True)
    if not quiet and not any(path.suffix == ".png" for path in paths):
        say(
            "To save PNG files too, install resect[figures] and a font such as DejaVu Sans.",
            err=True,
        )


def show_list(rows: dict[str, dict[str, Any]], as_json: bool) -> None:
    """Print a list of names and summaries, one line each."""
    if as_json:
        print_json([{"name": name, **row} for name, row in rows.items()])
        return
    width = max(map(len, rows))
    for name, row in rows.items():
        say(f"{name:<{width}}  {row['summary']}")


def print_json(value: Any) -> None:
    """Print one JSON document, in ASCII where the terminal's encoding has no other characters."""
    from resect.running.folder import to_json

    text = to_json(value)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=1) + "\n"
    typer.echo(text, nl=False)


def fit_encoding() -> None:
    """Escape what the encoding of stdout and stderr does not have, instead of failing at it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def watching(out: Path, quiet: bool) -> Callable[[Any, Iterator[Any]], Iterator[Any]]:
    """What shows on stderr how far a run into `out` is, unless quiet, and passes its events on."""

    def watch(planned: Any, events: Iterator[Any]) -> Iterator[Any]:
        from rich.console import Console

        from resect.running.progress import watched

        return watched(planned, events, None if quiet else Console(stderr=True), out)

    return watch


@contextlib.contextmanager
def stopping(kept: Callable[[], str]) -> Iterator[None]:
    """Say after Ctrl-C what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"stopped: {kept()}. Run the same command again.") from None
