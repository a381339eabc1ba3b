"""The command line: one short function for each command, no logic.

Exit codes: 0 done, 1 the run failed, 2 the request is wrong, 130 stopped by Ctrl-C. With `--json`,
stdout holds one JSON document and nothing else. Only commands that touch a model import torch.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Mapping
from typing import Any

import typer
from typer.models import CommandInfo

from resect import crash
from resect.cli import choose_commands as choosing
from resect.cli import make_commands as making
from resect.cli import read_commands as reading
from resect.cli import run_commands as asking
from resect.cli.app import app
from resect.cli.output import fit_encoding, say
from resect.errors import RequestError, RunError, Stopped
from resect.running import run_log

STOPPED = 130
"""The exit code of a command that Ctrl-C ended."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Studies": ("demo", "choose", "plan", "run", "eval"),
    "Results": ("report", "view", "status", "diff", "check", "export", "audit", "judge"),
    "Models": ("compress", "recover", "imatrix", "probe", "inspect"),
    "Lists": ("methods", "tasks"),
}
"""The groups of the help, and the commands of each, in order."""

ORDER = tuple(name for names in GROUPS.values() for name in names)


def _sort(commands: list[CommandInfo]) -> None:
    """Put the commands into the order and the groups of the help."""
    group_of = {name: group for group, names in GROUPS.items() for name in names}
    name_of = {id(c): c.name or getattr(c.callback, "__name__", "") for c in commands}
    commands.sort(key=lambda command: ORDER.index(name_of[id(command)]))
    for command in commands:
        command.rich_help_panel = group_of[name_of[id(command)]]


_sort(app.registered_commands)

_KEPT = "stopped. What is stored already is kept; run the same command again."

# click's own base error; typer ships a copy of click of its own in newer versions.
_Usage: Any = typer.BadParameter.__mro__[2]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    run_log.hold()
    fit_encoding()
    try:
        given = sys.argv[1:] if arguments is None else arguments
        code = app(_with_switches(given), standalone_mode=False)
        if code == STOPPED:  # typer handles Ctrl-C itself, without a message
            return _complain(_KEPT, STOPPED)
        return code if isinstance(code, int) else 0
    except RequestError as error:
        return _complain(str(error), 2)
    except _Usage as error:
        return _complain(error.format_message(), 2)
    except Stopped as error:
        return _complain(str(error), STOPPED)
    except RunError as error:
        return _complain(str(error), 1)
    except (MemoryError, sqlite3.Error) as error:
        return _complain(f"{type(error).__name__}: {error}. Stored results are kept.", 1)
    except (KeyboardInterrupt, typer.Abort):
        return _complain(_KEPT, STOPPED)
    except OSError as error:
        return _complain(f"{error}. Stored results are kept; run the same command to continue.", 1)
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic in Rust is no `Exception`
        return _complain(crash.sentence(error), 1)


_SWITCH = re.compile(r"--apply[-_]chat[-_]template")


def _with_switches(arguments: list[str]) -> list[str]:
    """The arguments with `=on` after a bare `--apply-chat-template`, which may have a value."""
    words = ("on", "off", "auto", "true", "false")
    following = [*arguments[1:], ""]
    return [
        f"{word}=on" if _SWITCH.fullmatch(word) and after.lower() not in words else word
        for word, after in zip(arguments, following, strict=False)
    ]


def _complain(sentence: str, code: int) -> int:
    say(f"resect: {' '.join(sentence.split())}", err=True)
    return code


def entry() -> None:
    """Entry point of the `resect` script."""
    sys.exit(main())


__all__ = ["app", "asking", "choosing", "entry", "main", "making", "reading"]
