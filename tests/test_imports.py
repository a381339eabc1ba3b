"""Arrows point one way: what each room may import, and which rooms live without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "resect"

# A room may import the rooms named, and itself. Nobody imports cli.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "cleaner": set(),
    "destination": {"errors"},
    "record": set(),
    "parse": set(),
    "prompts": set(),
    "parents": set(),
    "sandbox": {"errors"},
    "anatomy": {"errors"},
    "checkpoint": {"errors"},
    "spec": {"errors", "record"},
    "clinic": {"errors", "prompts", "record"},
    "kernels": {"errors"},
    "tasks": {"clinic", "errors", "parse", "prompts", "record", "sandbox"},
    "devices": {"errors"},
    "models": {"clinic", "devices", "errors", "kernels", "spec"},
    "calibration": {"anatomy", "clinic", "errors", "record", "spec", "tasks"},
    "methods": {
        "anatomy", "calibration", "checkpoint", "devices", "errors", "models", "record", "spec",
    },
    "adapters": set(),
    "recover": {
        "adapters", "ask", "devices", "kernels",
        "anatomy", "clinic", "errors", "methods", "models", "record", "spec", "tasks",
    },
    "recovery": {
        "adapters", "devices",
        "checkpoint", "errors", "methods", "models", "record", "recover", "spec", "tasks",
    },
    "measure": {"devices", "anatomy", "errors", "methods", "models", "record"},
    "ask": {"errors", "record"},
    "course": {
        "ask", "errors", "measure", "methods", "models", "record",
        "spec", "tasks",
    },
    "store": {"errors", "record"},
    "sweep": {
        "devices",
        "ask", "calibration", "course", "errors", "methods", "models", "parents", "record", "spec",
        "store", "tasks",
    },
    "inspection": {"anatomy", "checkpoint", "errors", "methods", "models", "spec"},
    "compression": {
        "adapters", "devices",
        "checkpoint", "course", "errors", "methods", "models", "record", "spec",
    },
    "analysis": {"errors", "record"},
    "report": {"cleaner", "errors", "record"},
    "folder": {
        "analysis", "cleaner", "destination", "errors", "record", "report", "store", "tasks",
    },
    "status": {"folder", "report", "store"},
    "judge": {"errors", "folder", "record"},
    "recorded": {
        "destination", "errors", "folder", "parents", "record", "spec", "store", "tasks",
    },
    "request": {"errors", "spec"},
    "progress": {"cleaner", "course", "recover"},
    "api": {"compression", "destination", "course", "folder", "record", "spec", "sweep"},
    "search": {"api", "errors", "folder", "spec"},
    "cli": {
        "cleaner", "destination", "status",
        "analysis", "api", "clinic", "compression", "errors", "folder", "inspection", "judge",
        "methods", "progress", "recorded", "recovery", "report", "request", "sandbox", "search",
        "spec", "store", "tasks",
    },
}  # fmt: skip
ALLOWED["__init__"] = {"analysis", "api", "folder", "parse", "spec"}


def room(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Rooms of resect that a file imports, inside functions and for typing too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "resect":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {parts[1] for parts in names if parts[0] == "resect" and len(parts) > 1}
    return found


def test_arrows_point_one_way():
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        here = room(path)
        assert here in ALLOWED, f"{here} is a new room: say what it may import"
        for other in imported(path) - {here} - ALLOWED[here]:
            wrong.append(f"{path.relative_to(SOURCE)} imports {other}")
    assert not wrong


TORCH_FREE = [
    "resect", "resect.spec", "resect.record", "resect.parse", "resect.tasks",
    "resect.sandbox.programs", "resect.sandbox.jail", "resect.tasks.ner", "resect.tasks.programs",
    "resect.tasks.clinic", "resect.tasks.pubmedqa", "resect.tasks.mmlu", "resect.store.sqlite",
    "resect.analysis.summary", "resect.analysis.same", "resect.report.page",
    "resect.report.card", "resect.report.terminal", "resect.folder", "resect.methods",
    "resect.cli", "resect.request", "resect.clinic", "resect.recorded", "resect.recorded.lobotomy",
    "resect.recorded.lm_eval", "resect.recorded.plain", "resect.parents", "resect.store.export",
    "resect.judge", "resect.status",
]  # fmt: skip

BLOCKED = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers"):
            raise ImportError(name + " must not be imported here")
sys.meta_path.insert(0, Refuse())
"""


@pytest.mark.parametrize("module", TORCH_FREE)
def test_imports_without_torch(module):
    subprocess.run([sys.executable, "-c", BLOCKED + f"import {module}"], check=True)


def test_package_may_have_no_cycle():
    """No two rooms import each other."""
    edges = {(room(path), other) for path in SOURCE.rglob("*.py") for other in imported(path)}
    both = {tuple(sorted(e)) for e in edges if e[::-1] in edges and e[0] != e[1]}
    assert not both
