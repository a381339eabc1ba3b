"""The command line: one short function a command, no logic.

Exit codes: 0 done, 1 the run failed, 2 the request is wrong. With `--json`, stdout holds one
JSON document and nothing else. Torch is imported only by commands that touch a model.
"""

from __future__ import annotations

import sqlite3
import sys
import warnings
from typing import Any

import typer

from resect.cli import make_commands as making
from resect.cli import read_commands as reading
from resect.cli import run_commands as asking
from resect.cli.app import app
from resect.errors import RequestError, RunError

# click's own base error; typer ships a copy of click of its own in newer versions.
_Usage: Any = typer.BadParameter.__mro__[2]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    warnings.simplefilter("ignore")
    try:
        code = app(arguments, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except RequestError as error:
        return _complain(str(error), 2)
    except _Usage as error:
        return _complain(error.format_message(), 2)
    except RunError as error:
        return _complain(str(error), 1)
    except (MemoryError, RuntimeError, sqlite3.Error) as error:
        if isinstance(error, RuntimeError) and "out of memory" not in str(error):
            raise
        return _complain(f"{type(error).__name__}: {error}; what is stored is kept.", 1)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped: what is stored is kept, run the same command to go on.", 1)
    except OSError as error:
        return _complain(f"{error}: what is stored is kept, run the same command to go on.", 1)


def _complain(sentence: str, code: int) -> int:
    typer.echo(f"resect: {' '.join(sentence.split())}", err=True)
    return code


def entry() -> None:
    """What the `resect` script calls."""
    sys.exit(main())


__all__ = ["app", "asking", "entry", "main", "making", "reading"]
