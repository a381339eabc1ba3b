"""Imports that wait until a test runs, so that collecting the tests loads no torch."""

from __future__ import annotations

import ast
import inspect
import sys
from types import ModuleType

WHEN_RUN = False
"""What stands under `if WHEN_RUN:` at the top of a module is run by conftest.py, before a test."""


def run_imports(module: ModuleType) -> None:
    """Run the imports that wait in a module, and in the modules whose names it uses."""
    names = vars(module)
    if names.get("WHEN_RUN") is not False or module.__name__ == __name__:
        return
    body = ast.parse(inspect.getsource(module)).body
    waiting = [
        statement
        for block in body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "WHEN_RUN"
        for statement in block.body
    ]
    exec(compile(ast.Module(waiting, []), str(module.__file__), "exec"), names)
    names["WHEN_RUN"] = True
    for value in list(names.values()):
        owner = value if isinstance(value, ModuleType) else sys.modules.get(_module_of(value))
        if owner is not None:
            run_imports(owner)


def _module_of(value: object) -> str:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""
