"""What commands print: findings, lists, one JSON document. All but JSON goes through `say`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from resect.cleaner import plain


def say(text: object, err: bool = False) -> None:
    """Print lines, with nothing from outside in them that a terminal would obey or hide."""
    typer.echo(plain(text, keep_lines=True), err=err)


def show(run: Any, as_json: bool, quiet: bool) -> None:
    """Print a run's findings and where its page is."""
    if as_json:
        print_json(run.summary())
        return
    if not quiet:
        from resect.report import terminal

        terminal.show(run.findings())
    say(run.path / "report.html")


def show_made(done: dict[str, Any], out: Path, as_json: bool, quiet: bool) -> None:
    """Print what was done to a model and where it is."""
    if as_json:
        print_json(done)
        return
    if not quiet:
        from resect.running import compression

        say(compression.shown(done))
    say(out)


def noticing(quiet: bool) -> Callable[[str], None]:
    """What prints a notice beside the findings, or keeps it to itself."""
    return lambda text: None if quiet else say(text, err=True)


def draw(run: Any, folder: Path, quiet: bool) -> None:
    """Write a run's figures, and say so."""
    from resect.report import figures

    paths = figures.save(run.findings(), folder)
    if not quiet:
        say(f"{len(paths)} files in {folder}", err=True)
    if not quiet and not any(path.suffix == ".png" for path in paths):
        say("For PNG beside SVG, install resect[figures] and a font such as DejaVu Sans.", err=True)


def show_list(rows: dict[str, dict[str, Any]], as_json: bool) -> None:
    """Print what there is, one line each."""
    if as_json:
        print_json([{"name": name, **row} for name, row in rows.items()])
        return
    width = max(map(len, rows))
    for name, row in rows.items():
        say(f"{name:<{width}}  {row['summary']}")


def print_json(value: Any) -> None:
    """Print one JSON document."""
    from resect.running.folder import to_json

    typer.echo(to_json(value), nl=False)
