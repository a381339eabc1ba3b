"""Arrows point one way: what each room may import, and which rooms live without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LOADED

SOURCE = Path(__file__).parents[1] / "src" / "resect"

# A room may import the rooms named, and itself. Nobody imports cli.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "crash": set(),
    "catalog": set(),
    "record": set(),
    "network": set(),
    "limits": set(),
    "parse": {"errors"},
    "spec": {"errors", "record"},
    "tasks": {"errors", "network", "parse", "record", "spec"},
    "clinic": {"errors", "record", "tasks"},
    "anatomy": {"errors"},
    "models": {"clinic", "errors", "limits", "network", "spec"},
    "methods": {"anatomy", "clinic", "errors", "models", "record", "spec", "tasks"},
    "ask": {"errors", "limits", "record"},
    "deploy": {"anatomy", "ask", "errors", "methods", "models", "record", "spec"},
    "recover": {
        "anatomy", "ask", "clinic", "errors", "methods", "models", "record", "spec", "tasks",
    },
    "store": {"errors", "record"},
    "stats": {"errors"},
    "findings": {"catalog", "errors", "record", "stats"},
    "narrative": {"catalog", "findings"},
    "diff": {"catalog", "errors", "findings", "record", "report", "stats"},
    "report": {"catalog", "errors", "findings", "narrative", "record", "stats"},
    "running": {
        "anatomy", "ask", "catalog", "deploy", "diff", "errors", "findings", "methods", "models",
        "narrative", "record", "recover", "report", "spec", "store", "tasks",
    },
    "recorded": {"errors", "record", "running", "spec", "store", "tasks"},
    "tracking": {"errors"},
    "view": {"catalog", "crash", "errors", "record", "report", "running", "stats", "store"},
    "api": {"record", "running", "spec"},
    "cli": {
        "api", "catalog", "clinic", "crash", "diff", "errors", "findings", "methods", "recorded",
        "recover", "report", "running", "spec", "store", "tasks", "tracking",
        "view",
    },
}  # fmt: skip
ALLOWED["__init__"] = {"api", "diff", "parse", "running", "spec"}


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
    "resect.tasks.sandbox.programs", "resect.tasks.sandbox.tester", "resect.tasks.ner",
    "resect.tasks.code_tasks",
    "resect.clinic.clinic_tasks", "resect.tasks.pubmedqa", "resect.tasks.mmlu",
    "resect.store.sqlite", "resect.findings.summary", "resect.narrative.verdict",
    "resect.diff.same_summary", "resect.diff.diff_report", "resect.findings.replication.published",
    "resect.report.page.render", "resect.report.card", "resect.report.terminal",
    "resect.running.folder", "resect.methods", "resect.cli", "resect.running.request",
    "resect.clinic",
    "resect.recorded", "resect.recorded.lobotomy", "resect.recorded.lm_eval",
    "resect.recorded.plain", "resect.running.status", "resect.spec.parents", "resect.store.export",
    "resect.running.judge", "resect.view.web_app", "resect.view.http_server",
    "resect.tracking",
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
@pytest.mark.slow
def test_imports_without_torch(module):
    subprocess.run([sys.executable, "-c", BLOCKED + f"import {module}"], check=True)


def test_package_may_have_no_cycle():
    """No two rooms import each other."""
    edges = {(room(path), other) for path in SOURCE.rglob("*.py") for other in imported(path)}
    both = {tuple(sorted(e)) for e in edges if e[::-1] in edges and e[0] != e[1]}
    assert not both


def test_collecting_the_tests_loads_no_torch(request):
    """What needs it stands under `if WHEN_RUN:` (tests/lazy.py)."""
    assert not request.config.stash[LOADED]


def test_a_modules_name_is_its_own():
    names = [path.stem for path in SOURCE.rglob("*.py") if not path.stem.startswith("__")]
    assert sorted(names) == sorted(set(names))
